"use client";
import { ROLES, type Role, roleAllows } from "@nexus/shared/roles";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { CommandBox } from "../../ui/copy-button.tsx";
import { Input } from "../../ui/field.tsx";
import { Select } from "../../ui/select.tsx";
import { InlineProblem } from "../../ui/view-state.tsx";
import { queryKey, useApiMutation } from "../api/api-context.tsx";
import { useMe, useRoleReason } from "../api/me.ts";
import { problemOf } from "../api/problem.ts";

/** Adds a person and shows the link with which they come in. */
export function AddMember() {
  const { data: me } = useMe();
  const cache = useQueryClient();
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("member");
  const [invited, setInvited] = useState<{ name: string; link: string } | null>(null);
  const roleReason = useRoleReason("admin");
  const add = useApiMutation("members.add", ({ member, link }) => {
    setInvited({ name: member.name, link });
    setEmail("");
    setName("");
    return cache.invalidateQueries({ queryKey: queryKey("members.list") });
  });
  const reason =
    roleReason ?? (/^\S+@\S+\.\S+$/.test(email) && name.trim() ? null : "Give a name and an e-mail address.");
  function submit(event: FormEvent): void {
    event.preventDefault();
    if (!reason && !add.isPending) add.mutate({ email, name: name.trim(), role });
  }
  return (
    <div className="flex flex-col gap-3 border-b p-4">
      <form onSubmit={submit} className="flex flex-wrap gap-2" noValidate>
        <Input
          aria-label="Name of the new member"
          placeholder="Name"
          value={name}
          className="min-w-32 flex-1"
          onChange={(event) => setName(event.target.value)}
        />
        <Input
          aria-label="E-mail of the new member"
          type="email"
          placeholder="E-mail"
          value={email}
          className="min-w-40 flex-1"
          onChange={(event) => setEmail(event.target.value)}
        />
        <Select
          label="Role"
          value={role}
          className="w-28"
          options={ROLES.filter((one) => !me || roleAllows(me.role, one)).map((one) => ({
            value: one,
            label: one,
          }))}
          onChange={setRole}
        />
        <Button type="submit" busy={add.isPending} disabledReason={reason} className="narrow:h-10">
          Add
        </Button>
      </form>
      {add.error && <InlineProblem problem={problemOf(add.error)} />}
      {invited && (
        <div className="flex flex-col gap-1.5">
          <p className="text-content-2">Send {invited.name} this link. It signs in once:</p>
          <CommandBox command={invited.link} prompt={false} />
        </div>
      )}
    </div>
  );
}

"use client";
import type { OutputOf } from "@nexus/shared/api/contract";
import { ROLES, type Role, roleAllows } from "@nexus/shared/roles";
import { useQueryClient } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
import { type FormEvent, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { ConfirmDialog } from "../../ui/confirm-dialog.tsx";
import { CommandBox } from "../../ui/copy-button.tsx";
import { Input } from "../../ui/field.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Select } from "../../ui/select.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Time } from "../../ui/time.tsx";
import { toast } from "../../ui/toaster.tsx";
import { ErrorState, InlineProblem } from "../../ui/view-state.tsx";
import { queryKey, useApiMutation, useApiQuery } from "../api/api-context.tsx";
import { useMe } from "../api/me.ts";
import { problemOf } from "../api/problem.ts";

const LIFETIMES = [
  { value: "7776000000", label: "90 days" },
  { value: "31536000000", label: "1 year" },
  { value: "never", label: "Never" },
] as const;
type Lifetime = (typeof LIFETIMES)[number]["value"];
type KeyRole = Role | "mine";

export function ApiKeysSection() {
  const keys = useApiQuery("apiKeys.list", undefined);
  return (
    <Panel title="API keys" flush>
      <CreateKey />
      {keys.error && !keys.data ? (
        <ErrorState problem={problemOf(keys.error)} onRetry={() => void keys.refetch()} />
      ) : !keys.data ? (
        <SkeletonRows rows={2} label="Loading keys" />
      ) : keys.data.length === 0 ? (
        <p className="px-4 py-5 text-center text-content-3">
          No key yet. The CLI and scripts sign in with one.
        </p>
      ) : (
        keys.data.map((key) => <KeyRow key={key.id} apiKey={key} />)
      )}
    </Panel>
  );
}

function CreateKey() {
  const cache = useQueryClient();
  const [name, setName] = useState("");
  const [lifetime, setLifetime] = useState<Lifetime>("7776000000");
  const [role, setRole] = useState<KeyRole>("mine");
  const { data: me } = useMe();
  const [secret, setSecret] = useState<string | null>(null);
  const create = useApiMutation("apiKeys.create", (created) => {
    setSecret(created.secret);
    setName("");
    return cache.invalidateQueries({ queryKey: queryKey("apiKeys.list") });
  });
  function submit(event: FormEvent): void {
    event.preventDefault();
    const trimmed = name.trim();
    if (trimmed === "" || create.isPending) return;
    create.mutate({
      name: trimmed,
      ...(role === "mine" ? {} : { role }),
      ...(lifetime === "never" ? {} : { expiresInMs: Number(lifetime) }),
    });
  }
  return (
    <div className="flex flex-col gap-3 border-b p-4">
      <form onSubmit={submit} className="flex flex-wrap gap-2">
        <Input
          aria-label="Name of the new key"
          placeholder="What is it for? laptop, CI, …"
          value={name}
          maxLength={80}
          className="min-w-40 flex-1"
          onChange={(event) => setName(event.target.value)}
        />
        <Select
          label="May do"
          value={role}
          options={[
            { value: "mine" as const, label: "what I may" },
            ...ROLES.filter((one) => !me || roleAllows(me.role, one)).map((one) => ({
              value: one,
              label: `as ${one}`,
            })),
          ]}
          onChange={setRole}
        />
        <Select label="Expires after" value={lifetime} options={LIFETIMES} onChange={setLifetime} />
        <Button
          type="submit"
          busy={create.isPending}
          disabledReason={name.trim() === "" ? "Give it a name first." : null}
          className="narrow:h-10"
        >
          Create key
        </Button>
      </form>
      {create.error && <InlineProblem problem={problemOf(create.error)} />}
      {secret && (
        <div className="flex flex-col gap-1.5">
          <CommandBox command={secret} prompt={false} />
          <p className="text-12 text-wait">Shown this once. Whoever has it may act as you.</p>
        </div>
      )}
    </div>
  );
}

type ApiKey = OutputOf<"apiKeys.list">[number];

function KeyRow({ apiKey }: { apiKey: ApiKey }) {
  const cache = useQueryClient();
  const [confirming, setConfirming] = useState(false);
  const revoke = useApiMutation("apiKeys.revoke", () =>
    cache.invalidateQueries({ queryKey: queryKey("apiKeys.list") }),
  );
  return (
    <div className="flex min-h-11 items-center gap-3 border-b px-4 last:border-0">
      <KeyRound aria-hidden className="size-4 shrink-0 text-content-3" strokeWidth={1.75} />
      <span className="min-w-0">
        <span className="block truncate font-medium">{apiKey.name}</span>
        <span className="block truncate text-11 leading-4 text-content-3">
          {apiKey.role === null ? "may do what you may" : `as ${apiKey.role}`}, made{" "}
          <Time atMs={apiKey.createdAtMs} />
          {apiKey.expiresAtMs !== null && (
            <>
              , expires <Time atMs={apiKey.expiresAtMs} />
            </>
          )}
        </span>
      </span>
      <span className="ml-auto text-12 whitespace-nowrap text-content-3">
        {apiKey.lastUsedAtMs === null ? (
          "never used"
        ) : (
          <>
            used <Time atMs={apiKey.lastUsedAtMs} />
          </>
        )}
      </span>
      <Button size="small" variant="danger" onClick={() => setConfirming(true)}>
        Revoke
      </Button>
      <ConfirmDialog
        open={confirming}
        onOpenChange={setConfirming}
        title={`Revoke the key “${apiKey.name}”?`}
        description="Whatever signs in with it is signed out at once. This cannot be undone."
        action="Revoke it"
        onConfirm={() =>
          revoke.mutateAsync({ id: apiKey.id }).then(
            () => true,
            (problem: unknown) => {
              toast.error("Not revoked", { description: problemOf(problem).title });
              return true;
            },
          )
        }
      />
    </div>
  );
}

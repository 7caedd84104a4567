"use client";
import type { OutputOf } from "@nexus/shared/api/contract";
import { ROLES, type Role, roleAllows } from "@nexus/shared/roles";
import { useQueryClient } from "@tanstack/react-query";
import { UserMinus } from "lucide-react";
import { useState } from "react";
import { IconButton } from "../../ui/button.tsx";
import { ConfirmDialog } from "../../ui/confirm-dialog.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Select } from "../../ui/select.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { toast } from "../../ui/toaster.tsx";
import { ErrorState } from "../../ui/view-state.tsx";
import { queryKey, useApiMutation, useApiQuery } from "../api/api-context.tsx";
import { useMe, useRoleReason } from "../api/me.ts";
import { problemOf } from "../api/problem.ts";
import { AddMember } from "./add-member.tsx";

const ROLE_NOTE: Record<Role, string> = {
  owner: "everything, owners too",
  admin: "machines, queues, members",
  member: "their own jobs",
  viewer: "look only",
};

type Member = OutputOf<"members.list">[number];

export function TeamSection() {
  const { data: me } = useMe();
  const members = useApiQuery("members.list", undefined);
  return (
    <Panel title={me ? `Members of ${me.team.name}` : "Members"} flush>
      <AddMember />
      {members.error && !members.data ? (
        <ErrorState problem={problemOf(members.error)} onRetry={() => void members.refetch()} />
      ) : !members.data ? (
        <SkeletonRows rows={4} label="Loading members" />
      ) : (
        members.data.map((member) => <MemberRow key={member.userId} member={member} members={members.data} />)
      )}
    </Panel>
  );
}

function MemberRow({ member, members }: { member: Member; members: Member[] }) {
  const { data: me } = useMe();
  const cache = useQueryClient();
  const [removing, setRemoving] = useState(false);
  const roleReason = useRoleReason("admin");
  const refresh = () => cache.invalidateQueries({ queryKey: queryKey("members.list") });
  const setRole = useApiMutation("members.setRole", refresh);
  const remove = useApiMutation("members.remove", refresh);

  const lastOwner = member.role === "owner" && members.filter(({ role }) => role === "owner").length === 1;
  const above = me && !roleAllows(me.role, member.role) ? `They are ${member.role}, above you.` : null;
  const reason = roleReason ?? above ?? (lastOwner ? "A team keeps at least one owner." : null);
  const failed = (error: unknown) =>
    toast.error(`${member.name} was not changed`, { description: problemOf(error).title });

  return (
    <div className="flex min-h-12 items-center gap-3 border-b px-4 py-1.5 last:border-0">
      <span className="min-w-0 flex-1">
        <span className="block truncate font-medium">
          {member.name}
          {member.userId === me?.user.id && <span className="font-normal text-content-3"> (you)</span>}
        </span>
        <span className="block truncate text-12 leading-4 text-content-3">{member.email}</span>
      </span>
      {reason ? (
        <span className="text-12 text-content-2" title={reason}>
          {member.role}
        </span>
      ) : (
        <Select
          label={`Role of ${member.name}`}
          className="w-28"
          value={member.role}
          options={ROLES.filter((role) => !me || roleAllows(me.role, role)).map((role) => ({
            value: role,
            label: role,
            note: ROLE_NOTE[role],
          }))}
          onChange={(role) => setRole.mutate({ userId: member.userId, role }, { onError: failed })}
        />
      )}
      <IconButton label={`Remove ${member.name}`} disabledReason={reason} onClick={() => setRemoving(true)}>
        <UserMinus />
      </IconButton>
      <ConfirmDialog
        open={removing}
        onOpenChange={setRemoving}
        title={`Remove ${member.name} from the team?`}
        description="They are signed out and their keys stop working. Their jobs and logs stay."
        action={`Remove ${member.name}`}
        onConfirm={() =>
          remove.mutateAsync({ userId: member.userId }).then(
            () => true,
            (error: unknown) => {
              failed(error);
              return true;
            },
          )
        }
      />
    </div>
  );
}

"use client";
import type { EnrollToken } from "@nexus/shared/api/schemas";
import { useQueryClient } from "@tanstack/react-query";
import { Ban, CircleCheck, CircleDashed, TimerOff } from "lucide-react";
import { useState } from "react";
import { Labels } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { ConfirmDialog } from "../../ui/confirm-dialog.tsx";
import { Panel } from "../../ui/panel.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Status, type StatusLook } from "../../ui/status.tsx";
import { Time } from "../../ui/time.tsx";
import { toast } from "../../ui/toaster.tsx";
import { ErrorState } from "../../ui/view-state.tsx";
import { queryKey, useApiMutation } from "../api/api-context.tsx";
import { useRoleReason } from "../api/me.ts";
import { problemOf } from "../api/problem.ts";

const TOKEN_STATUS: Record<EnrollToken["state"], StatusLook> = {
  live: { label: "Live", icon: CircleDashed, hue: "active", sentence: "It can be used." },
  used: { label: "Used", icon: CircleCheck, hue: "good", sentence: "It was used as often as it may." },
  expired: { label: "Expired", icon: TimerOff, hue: "idle", sentence: "Its time is over." },
  revoked: { label: "Revoked", icon: Ban, hue: "idle", sentence: "A person made it worthless." },
};

type TokenListProps = { tokens: EnrollToken[] | undefined; error: Error | null; onRetry: () => void };

export function TokenList({ tokens, error, onRetry }: TokenListProps) {
  return (
    <Panel title="Tokens" flush className="mt-4">
      {error && !tokens ? (
        <ErrorState problem={problemOf(error)} onRetry={onRetry} />
      ) : !tokens ? (
        <SkeletonRows rows={3} label="Loading tokens" />
      ) : tokens.length === 0 ? (
        <p className="px-4 py-6 text-center text-content-3">
          None yet. They are listed here while they live.
        </p>
      ) : (
        tokens.map((token) => <TokenRow key={token.id} token={token} />)
      )}
    </Panel>
  );
}

function TokenRow({ token }: { token: EnrollToken }) {
  const [confirming, setConfirming] = useState(false);
  const cache = useQueryClient();
  const reason = useRoleReason("admin");
  const revoke = useApiMutation("enrollTokens.revoke", () =>
    cache.invalidateQueries({ queryKey: queryKey("enrollTokens.list") }),
  );
  const name = token.name ?? token.id;
  return (
    <div className="flex min-h-10 flex-wrap items-center gap-x-3 gap-y-1 border-b px-4 py-1.5 last:border-0">
      <Status look={TOKEN_STATUS[token.state]} className="w-20 text-12" />
      <span className="truncate font-medium">{name}</span>
      <span className="flex flex-wrap gap-1">
        <Labels labels={token.labels} />
      </span>
      <span className="ml-auto text-12 text-content-3">
        {token.targets.length > 0
          ? token.targets.map((target) => target.name).join(", ")
          : `${token.uses} of ${token.usesMax} used`}
        {token.state === "live" && (
          <>
            {", expires "}
            <Time atMs={token.expiresAtMs} />
          </>
        )}
      </span>
      {token.state === "live" && (
        <Button size="small" variant="danger" disabledReason={reason} onClick={() => setConfirming(true)}>
          Revoke
        </Button>
      )}
      <ConfirmDialog
        open={confirming}
        onOpenChange={setConfirming}
        title={`Revoke the token ${name}?`}
        description="No machine can join with it any more. Machines that already joined stay."
        action="Revoke it"
        onConfirm={() =>
          revoke.mutateAsync({ id: token.id }).then(
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

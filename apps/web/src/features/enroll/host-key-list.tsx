"use client";
import type { SshHostKey } from "@nexus/shared/api/ssh";
import { useQueryClient } from "@tanstack/react-query";
import { ShieldAlert, ShieldCheck } from "lucide-react";
import { useEffect, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { ConfirmDialog } from "../../ui/confirm-dialog.tsx";
import { Field, Input } from "../../ui/field.tsx";
import { Panel } from "../../ui/panel.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { ErrorState, InlineProblem } from "../../ui/view-state.tsx";
import { queryKey, settled, useApiMutation, useApiQuery } from "../api/api-context.tsx";
import { useRoleReason } from "../api/me.ts";
import { problemOf } from "../api/problem.ts";

/** By which keys the team knows machines; where one showed another, the replacement of the known one. */
export function HostKeyList({ refreshWith }: { refreshWith: string }) {
  const keys = useApiQuery("ssh.hostKeys", undefined);
  const cache = useQueryClient();
  // biome-ignore lint/correctness/useExhaustiveDependencies: what became of machines says when to ask again
  useEffect(() => {
    void cache.invalidateQueries({ queryKey: queryKey("ssh.hostKeys") });
  }, [cache, refreshWith]);
  return (
    <Panel title="Known machines" flush className="mt-4">
      {keys.error && !keys.data ? (
        <ErrorState problem={problemOf(keys.error)} onRetry={() => void keys.refetch()} />
      ) : !keys.data ? (
        <SkeletonRows rows={2} label="Loading keys of machines" />
      ) : keys.data.length === 0 ? (
        <p className="px-4 py-6 text-center text-content-3">
          None yet. The key of each machine is confirmed once, and kept here.
        </p>
      ) : (
        keys.data.map((key) => <HostKeyRow key={key.name} hostKey={key} />)
      )}
    </Panel>
  );
}

function HostKeyRow({ hostKey: { name, known, refused } }: { hostKey: SshHostKey }) {
  const [isOpen, setOpen] = useState(false);
  const [why, setWhy] = useState("");
  const cache = useQueryClient();
  const reason = useRoleReason("admin");
  const replace = useApiMutation("ssh.replaceHostKey", () =>
    cache.invalidateQueries({ queryKey: queryKey("ssh.hostKeys") }),
  );
  const old = known[0];
  return (
    <div className="flex min-h-10 flex-wrap items-center gap-x-3 gap-y-1 border-b px-4 py-1.5 last:border-0">
      {refused ? (
        <ShieldAlert role="img" aria-label="It showed another key" className="size-4 shrink-0 text-bad" />
      ) : (
        <ShieldCheck role="img" aria-label="Its key is known" className="size-4 shrink-0 text-good" />
      )}
      <span className="font-mono text-12">{name}</span>
      <span className="min-w-0 font-mono text-12 break-all text-content-3">
        {known.map(({ fingerprint }) => fingerprint).join(" ")}
      </span>
      {refused && old && (
        <>
          <span className="w-full text-12">
            It showed <span className="font-mono break-all">{refused.fingerprint}</span> and was refused.
          </span>
          <Button size="small" variant="danger" disabledReason={reason} onClick={() => setOpen(true)}>
            Replace its key
          </Button>
          <ConfirmDialog
            open={isOpen}
            onOpenChange={setOpen}
            title={`Trust the new key of ${name}?`}
            description="If the machine was not set up anew, somebody may be in between. Compare the new key on the machine itself. The old one is never accepted again."
            action="Replace it"
            disabledReason={why.trim() === "" ? "Say why it changed." : null}
            onConfirm={() =>
              settled(
                replace.mutateAsync({ name, old: old.fingerprint, new: refused.fingerprint, reason: why }),
              )
            }
          >
            <p className="mb-3 font-mono text-12 break-all">{refused.fingerprint}</p>
            <Field label="Why it changed" hint="For the audit.">
              {(control) => (
                <Input {...control} value={why} onChange={(event) => setWhy(event.target.value)} />
              )}
            </Field>
            {replace.error && <InlineProblem problem={problemOf(replace.error)} />}
          </ConfirmDialog>
        </>
      )}
    </div>
  );
}

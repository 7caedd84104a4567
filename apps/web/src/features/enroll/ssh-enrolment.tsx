"use client";
import { HostKeyList } from "./host-key-list.tsx";
import { SshForm } from "./ssh-form.tsx";
import { SshProgress } from "./ssh-progress.tsx";
import { ACT_WORDS } from "./ssh-status.ts";
import { Step } from "./step.tsx";
import { useSshRun } from "./use-ssh-run.ts";
import { WayList } from "./way-list.tsx";

type SshEnrolmentProps = { run: string | null; onRun: (id: string | null) => void };

/** The control plane reaches machines by SSH and brings the agent to them. */
export function SshEnrolment({ run: id, onRun }: SshEnrolmentProps) {
  const { run, error } = useSshRun(id);
  const ended = run?.ended ?? false;
  const targets = run?.hosts.flatMap(({ target, state }) => (state === "done" && target ? target : [])) ?? [];
  const refreshWith = run?.hosts.map(({ state }) => state).join() ?? "";
  return (
    <>
      <ol className="flex flex-col">
        <Step number={1} title="Say which machines, and how to log in" state={id ? "done" : "now"}>
          {!id && <SshForm onStarted={onRun} />}
        </Step>
        <Step
          number={2}
          title={ACT_WORDS[run?.act ?? "enrol"].watch}
          state={!id ? "later" : ended && targets.length > 0 ? "done" : "now"}
          last
        >
          {id && (
            <SshProgress id={id} run={run} error={error} targets={targets} onAgain={() => onRun(null)} />
          )}
        </Step>
      </ol>
      <WayList refreshWith={refreshWith} isBusy={id !== null && !ended} onStarted={onRun} />
      <HostKeyList refreshWith={refreshWith} />
    </>
  );
}

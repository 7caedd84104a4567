"use client";
import type { SshRun, SshRunHost } from "@nexus/shared/api/ssh";
import Link from "next/link";
import { useState } from "react";
import { Button } from "../../ui/button.tsx";
import { cx } from "../../ui/cx.ts";
import { plural } from "../../ui/format.ts";
import { Panel } from "../../ui/panel.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Status } from "../../ui/status.tsx";
import { ErrorState } from "../../ui/view-state.tsx";
import { useApiMutation } from "../api/api-context.tsx";
import { problemOf } from "../api/problem.ts";
import { SshQuestion } from "./ssh-question.tsx";
import { ACT_WORDS, MACHINE_STATUS } from "./ssh-status.ts";
import { SshTranscript } from "./ssh-transcript.tsx";

type SshProgressProps = {
  id: string;
  run: SshRun | null;
  error: unknown;
  targets: readonly { id: string; name: string }[];
  onAgain: () => void;
};

export function SshProgress({ id, run, error, targets, onAgain }: SshProgressProps) {
  const [shown, setShown] = useState<number | null>(null);
  const cancel = useApiMutation("ssh.cancel");
  if (!run) {
    return error ? (
      <ErrorState problem={problemOf(error)} onRetry={onAgain} />
    ) : (
      <SkeletonRows rows={3} label="Loading" />
    );
  }
  const words = ACT_WORDS[run.act];
  const done = run.hosts.filter(({ state }) => state === "done").length;
  const asking = run.hosts.filter(({ question }) => question !== null);
  return (
    <div className="flex flex-col gap-4">
      {asking.map((host) => (
        <SshQuestion key={host.index} run={id} host={host} />
      ))}
      <Panel
        flush
        title={`${done} of ${plural(run.hosts.length, "machine")} ${words.counted}`}
        actions={
          run.ended ? null : (
            <Button size="small" busy={cancel.isPending} onClick={() => cancel.mutate({ id })}>
              Cancel
            </Button>
          )
        }
      >
        {run.hosts.map((host) => (
          <MachineRow
            key={host.index}
            host={host}
            done={words.done}
            isShown={shown === host.index}
            onShow={() => setShown(shown === host.index ? null : host.index)}
          />
        ))}
      </Panel>
      <SshTranscript lines={run.lines} hosts={run.hosts} only={shown} />
      {run.ended && (
        <p className="flex flex-wrap gap-2">
          <Button onClick={onAgain}>{words.again}</Button>
          {targets.length > 0 && (
            <Button asChild variant="primary">
              <Link href="/">See the fleet</Link>
            </Button>
          )}
        </p>
      )}
    </div>
  );
}

type MachineRowProps = { host: SshRunHost; done: string; isShown: boolean; onShow: () => void };

function MachineRow({ host, done, isShown, onShow }: MachineRowProps) {
  const look = MACHINE_STATUS[host.state];
  const isOver = host.state === "done" || host.state === "failed" || host.state === "cancelled";
  return (
    <button
      type="button"
      aria-pressed={isShown}
      onClick={onShow}
      className={cx(
        "flex min-h-10 w-full flex-wrap items-center gap-x-3 gap-y-0.5 border-b px-4 py-1.5 text-left last:border-0 hover:bg-surface-2",
        isShown && "bg-surface-2",
      )}
    >
      <Status look={host.state === "done" ? { ...look, label: done } : look} className="w-24 text-12" />
      <span className="min-w-0 truncate font-mono text-12">{host.address}</span>
      {host.target && <span className="font-medium">{host.target.name}</span>}
      <span className="ml-auto min-w-0 text-12 break-words text-content-3 narrow:ml-0 narrow:w-full">
        {isOver ? host.state !== "done" && host.message : host.step}
      </span>
    </button>
  );
}

"use client";
import { DEFAULT_QUEUE, type Queue } from "@nexus/shared/api/schemas";
import { selectorText } from "@nexus/shared/scheduler/selector-text";
import { useQueryClient } from "@tanstack/react-query";
import { Pause, Pencil, Play, Trash2 } from "lucide-react";
import Link from "next/link";
import type { ReactNode } from "react";
import { Badge } from "../../ui/badge.tsx";
import { Button, IconButton } from "../../ui/button.tsx";
import { cx } from "../../ui/cx.ts";
import { formatCount } from "../../ui/format.ts";
import { Duration } from "../../ui/time.tsx";
import { toast } from "../../ui/toaster.tsx";
import { queryKey, useApiMutation } from "../api/api-context.tsx";
import { useRoleReason } from "../api/me.ts";
import { problemOf } from "../api/problem.ts";

const GRID =
  "grid grid-cols-[minmax(0,2fr)_56px_64px_88px_80px_minmax(0,1.2fr)_176px] items-center gap-x-5 px-4 " +
  "narrow:grid-cols-[1fr_1fr] narrow:gap-y-2";

export function QueueRowHead() {
  return (
    <div className={cx(GRID, "h-8 border-b text-12 text-content-3 narrow:hidden")} aria-hidden>
      <span>Queue</span>
      <span className="text-right">Priority</span>
      <span className="text-right">Waiting</span>
      <span className="text-right">Running</span>
      <span className="text-right">GPUs</span>
      <span>Waits longest</span>
    </div>
  );
}

type QueueRowProps = { queue: Queue; onEdit: () => void; onRemove: () => void };

export function QueueRow({ queue, onEdit, onRemove }: QueueRowProps) {
  const { name, priority, paused, queued } = queue;
  return (
    <section aria-label={`Queue ${name}`} className={cx(GRID, "min-h-13 border-b py-2 last:border-0")}>
      <div className="min-w-0 narrow:col-span-2">
        <h2 className="flex min-w-0 items-center gap-2">
          <Link
            href={`/jobs?queue=${encodeURIComponent(name)}`}
            className="truncate font-medium hover:underline"
            title={name}
          >
            {name}
          </Link>
          {paused && (
            <Badge hue="wait" className="shrink-0">
              paused
            </Badge>
          )}
        </h2>
        <Rules queue={queue} />
      </div>
      <Cell label="Priority">{priority}</Cell>
      <Cell label="Waiting">
        {queued === 0 ? (
          <span className="text-content-3">0</span>
        ) : (
          <Link
            href={`/jobs?view=waiting&queue=${encodeURIComponent(name)}`}
            className="font-medium hover:underline"
          >
            {formatCount(queued)}
          </Link>
        )}
      </Cell>
      <Cell label="Running">
        <OfLimit count={queue.running} limit={queue.runningMax} />
      </Cell>
      <Cell label="GPUs">
        <OfLimit count={queue.gpusHeld} limit={queue.gpusMax} />
      </Cell>
      <WaitsLongest queue={queue} />
      <QueueActions queue={queue} onEdit={onEdit} onRemove={onRemove} />
    </section>
  );
}

/** Where its jobs may run, and what one person may have. */
function Rules({ queue: { selector, targetsSelected, userRunningMax, userGpusMax } }: { queue: Queue }) {
  const only = selectorText(selector);
  const person = [
    ...(userRunningMax === null ? [] : [countOf(userRunningMax, "job")]),
    ...(userGpusMax === null ? [] : [countOf(userGpusMax, "GPU")]),
  ].join(", ");
  if (only === "" && person === "") return null;
  return (
    <p className="text-12 text-content-3 wrap-anywhere">
      {only !== "" && `Only on ${only}`}
      {only !== "" && targetsSelected === 0 && <span className="text-bad"> (no target matches)</span>}
      {only !== "" && person !== "" && " · "}
      {person !== "" && `at most ${person} a person`}
    </p>
  );
}

function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

function OfLimit({ count, limit }: { count: number; limit: number | null }) {
  return (
    <>
      <span className={cx(limit !== null && count >= limit && "font-medium text-wait")}>
        {formatCount(count)}
      </span>
      {limit !== null && <span className="text-content-3"> of {formatCount(limit)}</span>}
    </>
  );
}

function Cell({ label, children }: { label: string; children: ReactNode }) {
  return (
    <p className="tabular text-right whitespace-nowrap narrow:text-left">
      <span className="hidden text-12 text-content-3 narrow:block">{label}</span>
      <span className="sr-only narrow:hidden">{label}: </span>
      {children}
    </p>
  );
}

function WaitsLongest({ queue: { waitsLongest } }: { queue: Queue }) {
  if (!waitsLongest) return <p className="text-content-3 narrow:self-end">Nobody waits</p>;
  const { job, user, sinceMs } = waitsLongest;
  return (
    <p className="min-w-0 truncate">
      <span className="hidden text-12 text-content-3 narrow:block">Waits longest</span>
      <Link href={`/jobs/${job}`} className="hover:underline" title={job}>
        {user}
      </Link>
      <span className="text-content-3">
        , <Duration fromMs={sinceMs} toMs={null} />
      </span>
    </p>
  );
}

function QueueActions({ queue, onEdit, onRemove }: QueueRowProps) {
  const { name, paused } = queue;
  const cache = useQueryClient();
  const reason = useRoleReason("admin");
  const put = useApiMutation("queues.put", (saved) => {
    toast.success(saved.paused ? `${name} is paused: what runs goes on` : `${name} goes on`);
    return cache.invalidateQueries({ queryKey: queryKey("queues.list") });
  });
  function toggle(): void {
    put.mutate(
      { name, paused: !paused, only: "existing" },
      {
        onError: (error) => toast.error(`${name} was not changed`, { description: problemOf(error).title }),
      },
    );
  }
  return (
    <div className="flex items-center justify-end gap-1.5 narrow:col-span-2 narrow:justify-start">
      <Button
        size="small"
        busy={put.isPending}
        disabledReason={reason}
        aria-label={`${paused ? "Resume" : "Pause"} ${name}`}
        onClick={toggle}
        className="narrow:h-10 narrow:px-3"
      >
        {paused ? <Play /> : <Pause />}
        {paused ? "Resume" : "Pause"}
      </Button>
      <IconButton label={`Edit ${name}`} disabledReason={reason} onClick={onEdit} className="narrow:size-10">
        <Pencil />
      </IconButton>
      <IconButton
        label={`Remove ${name}`}
        disabledReason={reason ?? (name === DEFAULT_QUEUE ? "Jobs that name no queue join it." : null)}
        onClick={onRemove}
        className="narrow:size-10"
      >
        <Trash2 />
      </IconButton>
    </div>
  );
}

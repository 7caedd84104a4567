"use client";
import type { Queue } from "@nexus/shared/api/schemas";
import { useQueryClient } from "@tanstack/react-query";
import { Pause, Pencil, Play } from "lucide-react";
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
  "grid grid-cols-[minmax(0,1.4fr)_72px_88px_120px_minmax(0,1.6fr)_148px] items-center gap-x-6 px-4 " +
  "narrow:grid-cols-[1fr_1fr] narrow:gap-y-2";

export function QueueRowHead() {
  return (
    <div className={cx(GRID, "h-8 border-b text-12 text-content-3 narrow:hidden")} aria-hidden>
      <span>Queue</span>
      <span className="text-right">Priority</span>
      <span className="text-right">Waiting</span>
      <span className="text-right">Running</span>
      <span>Waits longest</span>
    </div>
  );
}

export function QueueRow({ queue, onEdit }: { queue: Queue; onEdit: () => void }) {
  const { name, priority, paused, runningMax, queued, running } = queue;
  return (
    <section aria-label={`Queue ${name}`} className={cx(GRID, "min-h-13 border-b py-2 last:border-0")}>
      <h2 className="flex min-w-0 items-center gap-2 narrow:col-span-2">
        <Link
          href={`/jobs?queue=${encodeURIComponent(name)}`}
          className="truncate font-medium hover:underline"
          title={name}
        >
          {name}
        </Link>
        {paused && <Badge hue="wait">paused</Badge>}
      </h2>
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
        <span className={cx(runningMax !== null && running >= runningMax && "font-medium text-wait")}>
          {formatCount(running)}
        </span>
        <span className="text-content-3">
          {runningMax === null ? " · no limit" : ` of ${formatCount(runningMax)}`}
        </span>
      </Cell>
      <WaitsLongest queue={queue} />
      <QueueActions queue={queue} onEdit={onEdit} />
    </section>
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

function QueueActions({ queue, onEdit }: { queue: Queue; onEdit: () => void }) {
  const { name, paused, priority, runningMax } = queue;
  const cache = useQueryClient();
  const reason = useRoleReason("admin");
  const put = useApiMutation("queues.put", (saved) => {
    toast.success(saved.paused ? `${name} is paused: what runs goes on` : `${name} goes on`);
    return cache.invalidateQueries({ queryKey: queryKey("queues.list") });
  });
  function toggle(): void {
    put.mutate(
      { name, priority, runningMax, paused: !paused },
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
    </div>
  );
}

"use client";
/** A job's log in its view: where the bytes come from, and lines that can be linked to (`#bytes=120-480`). */
import type { Job } from "@nexus/shared/api/schemas";
import { isFinal } from "@nexus/shared/machines/job";
import { useMemo, useState } from "react";
import type { LogRange } from "../../ui/log-view/log-rows.tsx";
import { LogView } from "../../ui/log-view/log-view.tsx";
import { useApi } from "../api/api-context.tsx";

type JobLogProps = { job: Pick<Job, "id" | "state" | "attempt">; size: number; ended: boolean };

export function JobLog({ job, size, ended }: JobLogProps) {
  const api = useApi();
  const source = useMemo(() => api.logSource(job.id), [api, job.id]);
  const [picked, setPicked] = useState(rangeInUrl);

  function pick(range: LogRange | null): void {
    setPicked(range);
    const hash = range ? hashOf(range) : " ";
    window.history.replaceState(window.history.state, "", hash === " " ? window.location.pathname : hash);
  }

  return (
    <LogView
      source={source}
      size={size}
      ended={ended}
      downloadHref={api.logHref(job.id)}
      picked={picked}
      onPick={pick}
      linkTo={(range) => `${window.location.origin}${window.location.pathname}${hashOf(range)}`}
      empty={emptyText(job, ended)}
      className="flex-1"
    />
  );
}

function emptyText(job: JobLogProps["job"], ended: boolean): string {
  if (job.state === "queued" || job.state === "assigned" || job.state === "starting") {
    return "The job has not started; its log appears here as it is written.";
  }
  if (!isFinal(job.state)) return "The job runs and has written nothing yet.";
  if (!ended) return "The job has ended; the last of its log is still on its way.";
  return "The job wrote nothing.";
}

function hashOf(range: LogRange): string {
  return range.from === range.to ? `#bytes=${range.from}` : `#bytes=${range.from}-${range.to}`;
}

function rangeInUrl(): LogRange | null {
  const match = /^#bytes=(\d{1,16})(?:-(\d{1,16}))?$/.exec(window.location.hash);
  if (!match) return null;
  const from = Number(match[1]);
  return { from, to: match[2] ? Number(match[2]) : from };
}

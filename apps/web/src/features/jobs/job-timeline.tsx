"use client";
import type { Job, JobTimelineEvent } from "@nexus/shared/api/schemas";
import { durationText } from "@nexus/shared/duration-text";
import { jobEventWords } from "@nexus/shared/machines/job-event-words";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { cx } from "../../ui/cx.ts";
import { formatAbsolute, formatClock } from "../../ui/format.ts";
import { HUE_TEXT } from "../../ui/hue.ts";
import { Skeleton } from "../../ui/skeleton.tsx";
import { InlineProblem } from "../../ui/view-state.tsx";
import { queryKey, useApiQuery } from "../api/api-context.tsx";
import { problemOf } from "../api/problem.ts";
import { JOB_STATUS } from "../status/job-status.ts";

/** What happened to a job, oldest first, with the time between. */
export function JobTimeline({ job }: { job: Job }) {
  const cache = useQueryClient();
  const { data, error } = useApiQuery("jobs.events", { job: job.id });
  const change = `${job.state} ${job.attempt} ${job.cancelRequested}`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: every change of the job may have added an event.
  useEffect(() => {
    void cache.invalidateQueries({ queryKey: queryKey("jobs.events", { job: job.id }) });
  }, [cache, job.id, change]);

  if (error && !data) return <InlineProblem problem={problemOf(error)} />;
  if (!data) return <Skeleton className="h-16" />;
  return (
    <ol className="relative">
      {data.map((event, index) => {
        const look = JOB_STATUS[event.state];
        const Icon = look.icon;
        const before = data[index - 1];
        return (
          <li
            key={`${event.atMs} ${event.type} ${event.attempt}`}
            className="relative flex gap-2.5 pb-3 last:pb-0"
          >
            {index < data.length - 1 && (
              <span aria-hidden className="absolute top-4.5 bottom-0 left-1.75 w-px bg-border-2" />
            )}
            <Icon aria-hidden className={cx("mt-0.75 size-3.5 shrink-0 bg-surface-1", HUE_TEXT[look.hue])} />
            <div className="min-w-0 flex-1">
              <p className="flex items-baseline gap-2">
                <span className="min-w-0 font-medium break-words">{titleOf(event)}</span>
                <time
                  dateTime={new Date(event.atMs).toISOString()}
                  title={formatAbsolute(event.atMs)}
                  className="ml-auto shrink-0 text-12 text-content-3"
                >
                  {before && event.atMs - before.atMs >= 1000
                    ? `+${durationText(event.atMs - before.atMs)} `
                    : ""}
                  {formatClock(event.atMs)}
                </time>
              </p>
              {event.actor && <p className="text-12 break-words text-content-3">by {event.actor}</p>}
            </div>
          </li>
        );
      })}
    </ol>
  );
}

function titleOf(event: JobTimelineEvent): string {
  const words = jobEventWords(event) || JOB_STATUS[event.state].label;
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}

"use client";
import type { Job } from "@nexus/shared/api/schemas";
import { commandText } from "@nexus/shared/command-text";
import { durationText } from "@nexus/shared/duration-text";
import { isFinal } from "@nexus/shared/machines/job";
import { retryText } from "@nexus/shared/machines/retry-text";
import { ChevronRight } from "lucide-react";
import Link from "next/link";
import { type ReactNode, useState } from "react";
import { Labels } from "../../ui/badge.tsx";
import { CommandBox, CopyText } from "../../ui/copy-button.tsx";
import { cx } from "../../ui/cx.ts";
import { formatAbsolute, formatMib, plural } from "../../ui/format.ts";
import { Fact, Facts } from "../../ui/panel.tsx";
import { Duration, Time } from "../../ui/time.tsx";
import { JobGpuCharts } from "./job-gpu-charts.tsx";
import { JobTimeline } from "./job-timeline.tsx";

/** All that is known of a job beside its log. */
export function JobDetails({ job, className }: { job: Job; className?: string }) {
  return (
    <div className={cx("flex flex-col bg-surface-1", className)}>
      <Part title="Command">
        <CommandBox command={commandText(job.command)} />
      </Part>
      {job.gpus > 0 && job.startedAtMs !== null && <JobGpuCharts job={job} />}
      <Part title="Facts">
        <JobFacts job={job} />
      </Part>
      <EnvPart env={job.env} />
      <Part title="Timeline">
        <JobTimeline job={job} />
      </Part>
    </div>
  );
}

function Part({ title, children, aside }: { title: string; children: ReactNode; aside?: ReactNode }) {
  return (
    <section className="border-b px-4 py-3 last:border-0">
      <header className="mb-2 flex items-baseline justify-between gap-2">
        <h2 className="text-12 font-medium text-content-3">{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

function JobFacts({ job }: { job: Job }) {
  return (
    <Facts>
      <Fact label="Id">
        <CopyText text={job.id} />
      </Fact>
      <Fact label="User">{job.user.name}</Fact>
      <Fact label="Target">
        {job.target ? (
          <Link href={`/#${job.target.id}`} className="hover:underline">
            {job.target.name}
          </Link>
        ) : (
          <span className="text-content-3">
            {job.wantedTarget ? `wants ${job.wantedTarget}` : "any that fits"}
          </span>
        )}
      </Fact>
      <Fact label="GPUs">
        {job.gpus === 0 ? "none" : job.gpus}
        {job.gpuMemoryMib !== null && `, ${formatMib(job.gpuMemoryMib)} each`}
        {job.gpuModel !== null && `, ${job.gpuModel}`}
        {job.gpuUuids.map((uuid) => (
          <CopyText key={uuid} text={uuid} className="block text-11 text-content-3" />
        ))}
      </Fact>
      {Object.keys(job.labels).length > 0 && (
        <Fact label="Labels">
          <span className="flex flex-wrap gap-1">
            <Labels labels={job.labels} />
          </span>
        </Fact>
      )}
      <Fact label="Queue">
        {job.queue}
        {job.priority !== 0 && `, priority ${job.priority}`}
      </Fact>
      {job.cwd !== null && (
        <Fact label="Directory">
          <CopyText text={job.cwd} />
        </Fact>
      )}
      <Fact label="Time limit">{job.timeoutMs === null ? "none" : durationText(job.timeoutMs)}</Fact>
      {job.retry !== null && <Fact label="Retry">{retryText(job)}</Fact>}
      <Fact label="Submitted">
        <Time atMs={job.createdAtMs} />
      </Fact>
      {job.startedAtMs !== null && (
        <>
          <Fact label="Waited">{durationText(job.startedAtMs - job.createdAtMs)}</Fact>
          <Fact label={isFinal(job.state) ? "Ran" : "Running for"}>
            <Duration fromMs={job.startedAtMs} toMs={job.endedAtMs} />
          </Fact>
        </>
      )}
      {job.endedAtMs !== null && <Fact label="Ended">{formatAbsolute(job.endedAtMs)}</Fact>}
      {(job.exitCode !== null || job.signal !== null) && (
        <Fact label="Exit">{job.signal ?? `code ${job.exitCode}`}</Fact>
      )}
      {job.attemptNumber > 1 && <Fact label="Try">{job.attemptNumber}</Fact>}
    </Facts>
  );
}

function EnvPart({ env }: { env: Record<string, string> }) {
  const [open, setOpen] = useState(false);
  const entries = Object.entries(env);
  if (entries.length === 0) return null;
  return (
    <section className="border-b px-4 py-2">
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className="flex h-7 w-full items-center gap-1 text-12 font-medium text-content-3 hover:text-content-1"
      >
        <ChevronRight aria-hidden className={cx("size-3.5 transition-transform", open && "rotate-90")} />
        Environment <span className="font-normal">{plural(entries.length, "variable")}</span>
      </button>
      {open && (
        <dl className="pb-1.5 pl-4.5 font-mono text-12">
          {entries.map(([name, value]) => (
            <div key={name} className="flex gap-1 break-all">
              <dt className="text-content-2">{name}=</dt>
              <dd className="min-w-0">{value || <span className="text-content-3">hidden</span>}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}

"use client";
import type { Job } from "@nexus/shared/api/schemas";
import Link from "next/link";
import { Fragment, type ReactNode } from "react";
import { cx } from "../../ui/cx.ts";
import { formatAbsolute } from "../../ui/format.ts";
import { HUE_SOFT, HUE_TEXT } from "../../ui/hue.ts";
import { Duration } from "../../ui/time.tsx";
import { jobNote } from "../status/job-note.ts";
import { JOB_STATUS } from "../status/job-status.ts";

/** The one line that everybody opens the page for: why it waits, how it ended, since when nothing is known of it. */
export function JobBanner({ job }: { job: Job }) {
  const look = JOB_STATUS[job.state];
  const Icon = look.icon;
  return (
    <p
      className={cx(
        "flex min-h-10 shrink-0 items-start gap-2.5 border-b px-6 py-2.5 narrow:px-4",
        HUE_SOFT[look.hue],
      )}
    >
      <Icon
        aria-hidden
        className={cx("mt-0.5 size-4 shrink-0", HUE_TEXT[look.hue], look.turns && "animate-turn")}
      />
      <span className="min-w-0 break-words">
        {!jobNote(job).startsWith(look.label.toLowerCase()) && (
          <span className="font-medium">
            {look.label}
            <Since job={job} />.{" "}
          </span>
        )}
        <span className="text-content-2">
          <Sentence job={job} />
        </span>
      </span>
    </p>
  );
}

function Since({ job }: { job: Job }): ReactNode {
  if (job.state === "queued") {
    return (
      <>
        {" "}
        for <Duration fromMs={job.createdAtMs} toMs={null} />
      </>
    );
  }
  if (job.state !== "unreachable" || job.unreachableSinceMs === null) return null;
  return (
    <span title={formatAbsolute(job.unreachableSinceMs)}>
      {" "}
      for <Duration fromMs={job.unreachableSinceMs} toMs={null} />
    </span>
  );
}

function Sentence({ job }: { job: Job }): ReactNode {
  const note = jobNote(job);
  if (job.state === "running" && note === "") return job.target ? `On ${job.target.name}.` : null;
  const sentence = note === "" ? JOB_STATUS[job.state].sentence : `${note[0]?.toUpperCase()}${note.slice(1)}`;
  return <Linked text={/[.!?]$/.test(sentence) ? sentence : `${sentence}.`} />;
}

/** Ids of jobs in a sentence lead to them. */
function Linked({ text }: { text: string }) {
  return text.split(/\b(j_[a-z0-9]{10})\b/).map((part, at) =>
    at % 2 === 1 ? (
      <Link
        key={part}
        href={`/jobs/${part}`}
        className="font-medium text-content-1 underline decoration-dotted underline-offset-2 hover:decoration-solid"
      >
        {part}
      </Link>
    ) : (
      // biome-ignore lint/suspicious/noArrayIndexKey: the parts have no identity but their place.
      <Fragment key={at}>{part}</Fragment>
    ),
  );
}

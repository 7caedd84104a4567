import type { Job } from "@nexus/shared/api/schemas";
import { commandText } from "@nexus/shared/command-text";
import Link from "next/link";
import type { ReactNode } from "react";
import { cx } from "../../ui/cx.ts";
import type { Column } from "../../ui/data-table/data-table.tsx";
import { Status } from "../../ui/status.tsx";
import { Duration, Time } from "../../ui/time.tsx";
import { jobNote, jobTitle } from "../status/job-note.ts";
import { JOB_STATUS } from "../status/job-status.ts";

export const JOB_COLUMNS: readonly Column<Job>[] = [
  {
    id: "state",
    header: "State",
    width: "104px",
    cell: (job) => <Status look={JOB_STATUS[job.state]} className="text-12" />,
  },
  {
    id: "job",
    header: "Job",
    width: "minmax(200px, 2.2fr)",
    cell: (job) => <JobName job={job} />,
  },
  {
    id: "note",
    header: "Waiting because, or outcome",
    width: "minmax(160px, 2fr)",
    cell: (job) => <JobNote job={job} />,
  },
  { id: "target", header: "Target", width: "minmax(84px, 0.8fr)", cell: (job) => <JobTarget job={job} /> },
  { id: "user", header: "User", width: "minmax(64px, 0.6fr)", cell: (job) => job.user.name },
  {
    id: "gpus",
    header: "GPUs",
    width: "40px",
    align: "end",
    cell: (job) => <Quiet zero={job.gpus === 0}>{job.gpus}</Quiet>,
  },
  {
    id: "duration",
    header: "Ran",
    width: "72px",
    align: "end",
    cell: (job) =>
      job.startedAtMs === null ? (
        <Quiet zero>–</Quiet>
      ) : (
        <Duration fromMs={job.startedAtMs} toMs={job.endedAtMs} />
      ),
  },
  {
    id: "created",
    header: "Submitted",
    width: "80px",
    align: "end",
    cell: (job) => <Time atMs={job.createdAtMs} className="text-content-3" />,
  },
];

/** The two lines of a job on a narrow screen. */
export function narrowJobRow(job: Job) {
  const note = jobNote(job);
  return (
    <>
      <span className="flex items-center gap-2">
        <Status look={JOB_STATUS[job.state]} iconOnly />
        <Link href={`/jobs/${job.id}`} className="min-w-0 truncate font-medium">
          {jobTitle(job)}
        </Link>
        <Time atMs={job.createdAtMs} className="ml-auto shrink-0 text-12 text-content-3" />
      </span>
      <span className="truncate pl-5.5 text-12 text-content-3">
        {[note || JOB_STATUS[job.state].label, job.target?.name, job.user.name].filter(Boolean).join(" · ")}
      </span>
    </>
  );
}

function JobName({ job }: { job: Job }) {
  return (
    <span className="flex min-w-0 items-baseline gap-2">
      <Link
        href={`/jobs/${job.id}`}
        title={`${job.id}\n${commandText(job.command)}`}
        className={cx(
          "truncate hover:underline",
          job.name ? "shrink-0 max-w-full font-medium" : "font-mono text-12",
        )}
      >
        {jobTitle(job)}
      </Link>
      {job.name && (
        <span className="truncate font-mono text-12 text-content-3">{commandText(job.command)}</span>
      )}
    </span>
  );
}

function JobNote({ job }: { job: Job }) {
  const note = jobNote(job);
  return (
    <span
      title={note}
      className={cx("text-12", job.state === "failed" ? "text-content-2" : "text-content-3")}
    >
      {note}
    </span>
  );
}

function JobTarget({ job }: { job: Job }) {
  if (job.target) return job.target.name;
  return <Quiet zero>{job.wantedTarget ?? "any"}</Quiet>;
}

function Quiet({ zero, children }: { zero: boolean; children: ReactNode }) {
  return <span className={cx(zero && "text-content-3")}>{children}</span>;
}

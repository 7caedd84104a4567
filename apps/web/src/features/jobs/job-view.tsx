"use client";
import type { Job } from "@nexus/shared/api/schemas";
import { commandText } from "@nexus/shared/command-text";
import { durationText } from "@nexus/shared/duration-text";
import { Ban, CopyPlus, Ellipsis, Hash, ListRestart, SquareTerminal } from "lucide-react";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { useMemo, useState } from "react";
import { Button, IconButton } from "../../ui/button.tsx";
import { ConfirmDialog } from "../../ui/confirm-dialog.tsx";
import { copyText } from "../../ui/copy-text.ts";
import { Menu, MenuItem } from "../../ui/menu.tsx";
import { Page } from "../../ui/page.tsx";
import { type Command, useCommands } from "../../ui/palette/commands.ts";
import { Segmented } from "../../ui/segmented.tsx";
import { Skeleton } from "../../ui/skeleton.tsx";
import { Status } from "../../ui/status.tsx";
import { useNarrow } from "../../ui/use-narrow.ts";
import { ErrorState } from "../../ui/view-state.tsx";
import { problemOf } from "../api/problem.ts";
import { jobTitle } from "../status/job-note.ts";
import { JOB_STATUS } from "../status/job-status.ts";
import { JobBanner } from "./job-banner.tsx";
import { JobDetails } from "./job-details.tsx";
import { JobLog } from "./job-log.tsx";
import { toastProblem, useCancelJobs, useCancelReason } from "./use-cancel-jobs.ts";
import { type FollowedJob, useJob } from "./use-job.ts";
import { useRequeueJobs, useRequeueReason } from "./use-requeue-jobs.ts";

export function JobView({ id }: { id: string }) {
  const { followed, error } = useJob(id);
  if (followed) return <LoadedJob followed={followed} />;
  return (
    <Page title={<Crumb>{id}</Crumb>}>
      {error ? <ErrorState problem={problemOf(error)} /> : <JobSkeleton />}
    </Page>
  );
}

function LoadedJob({ followed }: { followed: FollowedJob }) {
  const { job, logBytes, logEnded } = followed;
  const narrow = useNarrow();
  const [part, setPart] = useState<"log" | "details">("log");
  const log = <JobLog key={job.attempt} job={job} size={logBytes} ended={logEnded} />;
  return (
    <Page
      fixed
      title={<Crumb>{jobTitle(job)}</Crumb>}
      aside={<Status look={JOB_STATUS[job.state]} pill />}
      actions={<JobActions job={job} />}
      bars={<JobBanner job={job} />}
    >
      {narrow ? (
        <>
          <div className="border-b px-3 py-2">
            <Segmented
              label="Part"
              value={part}
              onChange={setPart}
              className="w-full"
              options={[
                { value: "log", label: "Log" },
                { value: "details", label: "Details" },
              ]}
            />
          </div>
          {part === "log" ? log : <JobDetails job={job} className="overflow-y-auto" />}
        </>
      ) : (
        <div className="flex min-h-0 flex-1">
          {log}
          <JobDetails job={job} className="w-90 shrink-0 overflow-y-auto border-l" />
        </div>
      )}
    </Page>
  );
}

function Crumb({ children }: { children: string }) {
  return (
    <>
      <Link href="/jobs" className="font-normal text-content-3 hover:text-content-1 narrow:hidden">
        Jobs
      </Link>
      <span aria-hidden className="font-normal text-content-3 narrow:hidden">
        /
      </span>
      <span className="truncate">{children}</span>
    </>
  );
}

function JobActions({ job }: { job: Job }) {
  const router = useRouter();
  const [confirming, setConfirming] = useState(false);
  const reason = useCancelReason(job);
  const cancel = useCancelJobs();
  const [requeueing, setRequeueing] = useState(false);
  const requeueReason = useRequeueReason(job);
  const requeue = useRequeueJobs();
  const isSilent = job.state === "unreachable";
  const resubmit = `/submit?from=${job.id}` as const;

  const commands = useMemo<Command[]>(
    () => [
      {
        id: "cancel-job",
        title: "Cancel this job",
        icon: Ban,
        group: "This view",
        disabledReason: reason,
        run: () => setConfirming(true),
      },
      {
        id: "requeue-job",
        title: "Queue this job again",
        icon: ListRestart,
        group: "This view",
        disabledReason: isSilent ? requeueReason : "Its node is not silent.",
        run: () => setRequeueing(true),
      },
      {
        id: "resubmit-job",
        title: "Submit a copy of this job",
        icon: CopyPlus,
        keys: "r",
        group: "This view",
        run: () => router.push(resubmit),
      },
    ],
    [reason, requeueReason, isSilent, router, resubmit],
  );
  useCommands(commands);

  return (
    <>
      {isSilent && (
        <Button disabledReason={requeueReason} onClick={() => setRequeueing(true)}>
          <ListRestart /> <span className="narrow:sr-only">Queue again</span>
        </Button>
      )}
      <Button variant="danger" disabledReason={reason} onClick={() => setConfirming(true)}>
        <Ban /> <span className="narrow:sr-only">Cancel</span>
      </Button>
      <Button asChild className="narrow:hidden">
        <Link href={resubmit}>
          <CopyPlus /> Resubmit
        </Link>
      </Button>
      <Menu
        trigger={
          <IconButton label="More actions" variant="secondary">
            <Ellipsis />
          </IconButton>
        }
      >
        <MenuItem icon={<CopyPlus />} onSelect={() => router.push(resubmit)}>
          Resubmit
        </MenuItem>
        <MenuItem icon={<SquareTerminal />} onSelect={() => void copyText(commandText(job.command))}>
          Copy command
        </MenuItem>
        <MenuItem icon={<Hash />} onSelect={() => void copyText(job.id)}>
          Copy id
        </MenuItem>
      </Menu>
      <ConfirmDialog
        open={requeueing}
        onOpenChange={setRequeueing}
        title={`Queue “${jobTitle(job).slice(0, 60)}” again?`}
        description={`${job.target?.name ?? "Its node"} is silent, and what it began there may still run: two may overlap until that node is back, which then ends its own. If the node is back before the job starts elsewhere, the job goes on there.`}
        action="Give that up and queue it again"
        onConfirm={() => requeue.mutateAsync({ jobs: [job.id] }).then(() => true, toastProblem)}
      />
      <ConfirmDialog
        open={confirming}
        onOpenChange={setConfirming}
        title={`Cancel “${jobTitle(job).slice(0, 60)}”?`}
        description={
          job.state === "queued"
            ? "It leaves the line and never starts."
            : `Its process tree gets TERM, and KILL after ${durationText(job.graceMs)}. What it wrote to its log is kept.`
        }
        action="Cancel the job"
        onConfirm={() => cancel.mutateAsync({ jobs: [job.id] }).then(() => true, toastProblem)}
      />
    </>
  );
}

function JobSkeleton() {
  return (
    <div role="status" aria-label="Loading the job" className="flex flex-col gap-3 p-6">
      <Skeleton className="h-3 w-1/3" />
      <Skeleton className="h-3 w-1/2" />
      <Skeleton className="h-64" />
    </div>
  );
}

"use client";
import type { Job } from "@nexus/shared/api/schemas";
import { isFinal } from "@nexus/shared/machines/job";
import { ListChecks, ListTree, Plus, SearchX } from "lucide-react";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { useCallback, useMemo, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { ConfirmDialog } from "../../ui/confirm-dialog.tsx";
import { DataTable } from "../../ui/data-table/data-table.tsx";
import { formatCount, plural } from "../../ui/format.ts";
import { Page } from "../../ui/page.tsx";
import { type Command, useCommands } from "../../ui/palette/commands.ts";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { useNarrow } from "../../ui/use-narrow.ts";
import { Dimmed, EmptyState, ErrorState } from "../../ui/view-state.tsx";
import { useConnection } from "../api/api-context.tsx";
import { useRoleReason } from "../api/me.ts";
import { problemOf } from "../api/problem.ts";
import { jobTitle } from "../status/job-note.ts";
import { JOB_COLUMNS, narrowJobRow } from "./job-columns.tsx";
import { filtersSet, type JobFilter, NO_FILTER, toListInput, useJobFilter } from "./job-filter.ts";
import { JobFilterBar } from "./job-filter-bar.tsx";
import { toastProblem, useCancelJobs } from "./use-cancel-jobs.ts";
import { useJobList } from "./use-job-list.ts";

const NOBODY: ReadonlySet<string> = new Set();

export function JobsView() {
  const router = useRouter();
  const [filter, setFilter] = useJobFilter();
  const input = useMemo(() => toListInput(filter), [filter]);
  const list = useJobList(input);
  const { lostSinceMs, wasLive } = useConnection();
  const [selected, setSelected] = useState(NOBODY);
  const [choosing, setChoosing] = useState(false);
  const narrow = useNarrow();
  const stopChoosing = () => {
    setSelected(NOBODY);
    setChoosing(false);
  };
  const { fetchNextPage, hasNextPage, isFetchingNextPage } = list;

  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const open = useCallback((job: Job) => router.push(`/jobs/${job.id}`), [router]);

  return (
    <Page
      fixed
      title="Jobs"
      aside={list.jobs && <span className="text-12 text-content-3">{formatCount(list.total)}</span>}
      actions={
        <>
          {narrow && !choosing && (
            <Button
              disabledReason={list.jobs?.length ? null : "There is no job to select."}
              onClick={() => setChoosing(true)}
            >
              <ListChecks /> Select
            </Button>
          )}
          <Button asChild variant="primary">
            <Link href="/submit">
              <Plus /> Submit
            </Link>
          </Button>
        </>
      }
      bars={
        selected.size > 0 || (narrow && choosing) ? (
          <SelectionBar jobs={list.jobs ?? []} selected={selected} onClear={stopChoosing} />
        ) : (
          <JobFilterBar filter={filter} onChange={(change) => void setFilter(change)} />
        )
      }
    >
      {list.error && !list.jobs ? (
        <ErrorState problem={problemOf(list.error)} onRetry={() => void list.refetch()} />
      ) : !list.jobs ? (
        <SkeletonRows rows={14} label="Loading jobs" />
      ) : list.jobs.length === 0 ? (
        <NoJobs filter={filter} onClear={() => void setFilter(NO_FILTER)} />
      ) : (
        <Dimmed
          stale={(lostSinceMs !== null && wasLive) || list.isPlaceholderData}
          className="flex min-h-0 flex-1 flex-col"
        >
          <DataTable
            label="Jobs"
            rows={list.jobs}
            rowId={jobId}
            columns={JOB_COLUMNS}
            narrowRow={narrowJobRow}
            onOpen={open}
            selected={selected}
            onSelect={setSelected}
            choosing={choosing}
            onEnd={onEnd}
            footer={
              isFetchingNextPage && <p className="px-4 py-2 text-12 text-content-3">Loading more jobs…</p>
            }
          />
        </Dimmed>
      )}
    </Page>
  );
}

function jobId(job: Job): string {
  return job.id;
}

function NoJobs({ filter, onClear }: { filter: JobFilter; onClear: () => void }) {
  const narrowed = filtersSet(filter) > 0 || filter.q !== "" || filter.view !== "all";
  if (narrowed) {
    return (
      <EmptyState
        icon={SearchX}
        title="No job matches"
        action={<Button onClick={onClear}>Show all jobs</Button>}
      >
        {filter.view === "waiting" && filtersSet(filter) === 0 && !filter.q
          ? "Nothing waits in line."
          : "Other filters may find it."}
      </EmptyState>
    );
  }
  return (
    <EmptyState
      icon={ListTree}
      title="No job yet"
      action={
        <Button asChild variant="primary">
          <Link href="/submit">Submit the first job</Link>
        </Button>
      }
    >
      From a shell it is <code className="font-mono text-12">nexus run -- nvidia-smi</code>.
    </EmptyState>
  );
}

type SelectionBarProps = { jobs: readonly Job[]; selected: ReadonlySet<string>; onClear: () => void };

function SelectionBar({ jobs, selected, onClear }: SelectionBarProps) {
  const [confirming, setConfirming] = useState(false);
  const roleReason = useRoleReason("member");
  const cancel = useCancelJobs();
  const chosen = jobs.filter((job) => selected.has(job.id));
  const open = chosen.filter((job) => !isFinal(job.state));
  const [only] = open;
  const what = open.length === 1 && only ? `“${jobTitle(only).slice(0, 60)}”` : plural(open.length, "job");

  const refusal =
    selected.size === 0 ? "Select jobs first." : open.length === 0 ? "All of them have ended." : null;
  const commands = useMemo<Command[]>(
    () => [
      {
        id: "cancel-selected",
        title: "Cancel selected jobs",
        group: "This view",
        disabledReason: roleReason ?? refusal,
        run: () => setConfirming(true),
      },
    ],
    [roleReason, refusal],
  );
  useCommands(commands);

  return (
    <div className="flex h-11 shrink-0 items-center gap-2 border-b bg-accent-soft px-6 narrow:px-4">
      <span className="font-medium">{formatCount(selected.size)} selected</span>
      <Button
        size="small"
        variant="danger"
        disabledReason={roleReason ?? refusal}
        onClick={() => setConfirming(true)}
      >
        Cancel {refusal || open.length === selected.size ? "" : `${open.length} of them`}
      </Button>
      <Button size="small" variant="ghost" onClick={onClear}>
        {selected.size > 0 ? "Clear" : "Done"}
      </Button>
      <ConfirmDialog
        open={confirming}
        onOpenChange={setConfirming}
        title={`Cancel ${what}?`}
        description="Waiting jobs leave the line. Running ones are asked to end, and ended after their grace time. Their logs are kept."
        action={`Cancel ${open.length === 1 ? "it" : plural(open.length, "job")}`}
        onConfirm={() =>
          cancel.mutateAsync({ jobs: open.map((job) => job.id) }).then(() => {
            onClear();
            return true;
          }, toastProblem)
        }
      />
    </div>
  );
}

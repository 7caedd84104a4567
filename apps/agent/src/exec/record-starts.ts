/**
 * From a batch of starts to orders for the launcher: refuse what cannot run, write folders, make the batch durable with one
 * sync, and only then order.
 *
 * Invariant: a start is either recorded or refused. What fails on the way is taken back whole: nothing of a refused start
 * is in the journal, and its folder is gone.
 */
import type { ErrorCode } from "@nexus/shared/errors";
import { isErrorCode, NexusError } from "@nexus/shared/errors";
import type { JobStart } from "@nexus/shared/protocol/messages";
import { type AttemptsState, admit, applyEvent, type DurableEvent, withdraw } from "../core/attempts.ts";
import {
  type AttemptFolder,
  attemptFolder,
  makeAttemptFolder,
  removeAttemptFolder,
} from "./attempt-folder.ts";
import type { StartChecks } from "./check-start.ts";
import { DiskRefusal, refusalOfDisk } from "./disk-refusal.ts";
import type { DiskFaultCode } from "./home-health.ts";
import { type JobCgroups, removeCgroup } from "./job-cgroups.ts";
import { jobEnvironment } from "./job-environment.ts";
import { jobScript } from "./job-script.ts";
import type { Journal } from "./journal.ts";

/** `fault` is set when it is the node's and not the job's. */
export type Refusal = { code: ErrorCode; message: string; fault: DiskFaultCode | null };
export type Preparation = { job: JobStart; folder: AttemptFolder } | { job: JobStart; refusal: Refusal };

/** What has just been done for a batch. */
export type StartStep = "folders" | "recorded" | "ordered";

export type StartContext = {
  state: AttemptsState;
  journal: Journal;
  attemptsFolder: string;
  bootId: string;
  baseEnv: Record<string, string>;
  checks: StartChecks;
  cgroups: JobCgroups | null;
  onStep(step: StartStep): void;
};

type Accepted = Extract<DurableEvent, { type: "accepted" }>;
type Prepared = { job: JobStart; folder: AttemptFolder; event: Accepted; fenceBefore: number | undefined };

/** @param jobs none of them known, and none twice. */
export async function recordStarts(jobs: JobStart[], context: StartContext): Promise<Preparation[]> {
  const { state, journal } = context;
  const prepared = await Promise.all(
    jobs.map(async (job) => {
      try {
        return await prepare(job, context);
      } catch (error) {
        return { job, refusal: refusalOf(error) };
      }
    }),
  );
  const good = prepared.filter((one) => "event" in one);
  context.onStep("folders");
  try {
    await journal.append(good.map(({ event }) => event));
    return prepared;
  } catch (error) {
    for (const one of good.reverse()) undo(one, state);
    const refusal = refusalOf(error);
    return prepared.map((one) => ("refusal" in one ? one : { job: one.job, refusal }));
  }
}

async function prepare(job: JobStart, context: StartContext): Promise<Prepared> {
  const { state, checks, attemptsFolder, baseEnv, cgroups, bootId } = context;
  const { cwd } = await checks.check(job, baseEnv);
  // Checked and known in one turn: no other start of this job can come between.
  const admission = admit(state, job);
  if (admission.kind !== "accept")
    throw passed(job, admission.kind === "fence_passed" ? admission.fence : job.fence);
  const { attempt, fence, timeoutMs, graceMs } = job;
  const fenceBefore = state.fences.get(job.job);
  const holdsGpus = job.gpus.length > 0;
  const cgroup = (holdsGpus ? cgroups?.make(attempt) : cgroups?.directoryOf(attempt)) ?? null;
  const event: Accepted = {
    type: "accepted",
    attempt,
    holdsGpus,
    gpus: job.gpus,
    job: job.job,
    fence,
    bootId,
    timeoutMs,
    graceMs,
    cgroup,
  };
  applyEvent(state, event);
  const folder = attemptFolder(attemptsFolder, attempt);
  const prepared = { job, folder, event, fenceBefore };
  try {
    const cgroupProcs = cgroup === null || !holdsGpus ? null : `${cgroup}/cgroup.procs`;
    makeAttemptFolder(
      folder,
      jobScript({ command: job.command, env: jobEnvironment(job), cwd, cgroupProcs }),
    );
  } catch (error) {
    undo(prepared, state);
    throw refusalOfDisk(error, `The job's folder ${folder.path} cannot be written`);
  }
  return prepared;
}

function undo({ folder, event, fenceBefore }: Prepared, state: AttemptsState): void {
  withdraw(state, event.attempt, fenceBefore);
  removeAttemptFolder(folder);
  if (event.cgroup !== null) removeCgroup(event.cgroup);
}

export function passed(job: JobStart, fence: number): NexusError {
  return new NexusError("conflict", {
    detail: `Attempt ${job.attempt} (fence ${job.fence}) of job ${job.job} comes too late: this node has already been given fence ${fence}.`,
  });
}

export function refusalOf(error: unknown): Refusal {
  const fault = error instanceof DiskRefusal ? error.fault : null;
  if (error instanceof NexusError && isErrorCode(error.code))
    return { code: error.code, message: error.message, fault };
  return { code: "internal", message: error instanceof Error ? error.message : String(error), fault };
}

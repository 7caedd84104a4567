/**
 * From a batch of starts to orders for the launcher: refuse what cannot run, write orders, make the batch durable with one
 * sync, and only then order.
 *
 * Invariant: a start is either recorded or refused. What fails on the way is taken back whole: nothing of a refused start
 * is in the journal, and its order is gone.
 */
import type { ErrorCode } from "@nexus/shared/errors";
import { isErrorCode, NexusError } from "@nexus/shared/errors";
import type { JobStart } from "@nexus/shared/protocol/messages";
import { type AttemptsState, admit, applyEvent, type DurableEvent, withdraw } from "../core/attempts.ts";
import {
  type AttemptFiles,
  attemptFiles,
  removeMasks,
  removeOrder,
  writeMasks,
  writeOrder,
} from "./attempt-files.ts";
import type { StartChecks } from "./check-start.ts";
import { DiskRefusal, refusalOfDisk } from "./disk-refusal.ts";
import type { DiskFaultCode } from "./home-health.ts";
import { type JobCgroups, removeCgroup } from "./job-cgroups.ts";
import { jobEnvironment, maskedValues } from "./job-environment.ts";
import { jobScript, orderScript } from "./job-script.ts";
import type { Journal } from "./journal.ts";

/** `fault` is set when it is the node's and not the job's. */
export type Refusal = { code: ErrorCode; message: string; fault: DiskFaultCode | null };
export type Preparation = { job: JobStart; files: AttemptFiles } | { job: JobStart; refusal: Refusal };

/** What has just been done for a batch. */
export type StartStep = "written" | "recorded" | "ordered";

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
type Checked = { job: JobStart; cwd: string };
type Prepared = { job: JobStart; files: AttemptFiles; event: Accepted; fenceBefore: number | undefined };
type Refused = { job: JobStart; refusal: Refusal };

/**
 * Attempts that come in one order; where the shell allows it they share a supervisor (docs/adr/0006). A job of `true`, its
 * share of launcher and supervisor included, takes 2.6 ms of processor time with one, 1.7 with four, 1.4 with eight and
 * with sixteen; 0.6 in a bash loop without records and logs. Measured on a tmpfs.
 */
const ATTEMPTS_PER_ORDER_MAX = 8;
/** A supervisor holds its order in memory. */
const ORDER_CHARS_MAX = 64 * 1024;

/** @param jobs none of them known, and none twice. */
export async function recordStarts(jobs: JobStart[], context: StartContext): Promise<Preparation[]> {
  const { state, journal } = context;
  const checked = await Promise.all(jobs.map((job) => check(job, context)));
  // From here to the journal in one turn: no other start of these jobs can come between.
  const orders = inOrders(checked.filter((one) => "cwd" in one));
  const written = new Map(
    orders.flatMap((order) => prepareOrder(order, context).map((one) => [one.job, one])),
  );
  const prepared = checked.flatMap((one) => ("refusal" in one ? one : (written.get(one.job) ?? [])));
  const good = prepared.filter((one) => "event" in one);
  context.onStep("written");
  try {
    await journal.append(good.map(({ event }) => event));
    return prepared;
  } catch (error) {
    for (const one of good.reverse()) undo(one, state);
    const refusal = refusalOf(error);
    return prepared.map((one) => ("refusal" in one ? one : { job: one.job, refusal }));
  }
}

async function check(job: JobStart, { checks, baseEnv }: StartContext): Promise<Checked | Refused> {
  try {
    return { job, cwd: (await checks.check(job, baseEnv)).cwd };
  } catch (error) {
    return { job, refusal: refusalOf(error) };
  }
}

function inOrders(checked: Checked[]): Checked[][] {
  const orders: Checked[][] = [];
  let chars = 0;
  for (const one of checked) {
    const own = charsOf(one.job);
    const last = orders.at(-1);
    if (last && last.length < ATTEMPTS_PER_ORDER_MAX && chars + own <= ORDER_CHARS_MAX) {
      last.push(one);
      chars += own;
    } else {
      orders.push([one]);
      chars = own;
    }
  }
  return orders;
}

function charsOf({ command, env }: JobStart): number {
  const words = [...command, ...Object.keys(env), ...Object.values(env)];
  return words.reduce((sum, word) => sum + word.length, 0);
}

function prepareOrder(order: Checked[], context: StartContext): (Prepared | Refused)[] {
  const [first] = order;
  if (!first) return [];
  const all = order.map((one) => admitOne(one, first.job.attempt, context));
  const good = all.filter((one) => "event" in one);
  const [some] = good;
  if (!some) return all;
  try {
    const scripts = order.flatMap(({ job, cwd }) => {
      const one = good.find((other) => other.job === job);
      if (!one) return [];
      const cgroupProcs = one.event.holdsGpus && one.event.cgroup ? `${one.event.cgroup}/cgroup.procs` : null;
      const script = jobScript({ command: job.command, env: jobEnvironment(job), cwd, cgroupProcs });
      return [{ attempt: job.attempt, script }];
    });
    for (const { job, files, event } of good) {
      if (event.masked) writeMasks(files, maskedValues(job.env));
    }
    writeOrder(some.files, orderScript(scripts));
    return all;
  } catch (error) {
    for (const one of good.toReversed()) undo(one, context.state);
    const refusal = refusalOf(refusalOfDisk(error, `The order ${some.files.order} cannot be written`));
    return all.map((one) => ("refusal" in one ? one : { job: one.job, refusal }));
  }
}

function admitOne({ job }: Checked, order: string, context: StartContext): Prepared | Refused {
  const { state, attemptsFolder, cgroups, bootId } = context;
  const admission = admit(state, job);
  if (admission.kind !== "accept") {
    const fence = admission.kind === "fence_passed" ? admission.fence : job.fence;
    return { job, refusal: refusalOf(passed(job, fence)) };
  }
  const { attempt, fence, timeoutMs, graceMs } = job;
  const fenceBefore = state.fences.get(job.job);
  const holdsGpus = job.gpus.length > 0;
  const cgroup = (holdsGpus ? cgroups?.make(attempt) : cgroups?.directoryOf(attempt)) ?? null;
  const event: Accepted = {
    type: "accepted",
    attempt,
    order,
    holdsGpus,
    gpus: job.gpus,
    job: job.job,
    fence,
    bootId,
    timeoutMs,
    graceMs,
    cgroup,
    masked: maskedValues(job.env).length > 0,
  };
  applyEvent(state, event);
  return { job, files: attemptFiles(attemptsFolder, attempt, order), event, fenceBefore };
}

function undo({ files, event, fenceBefore }: Prepared, state: AttemptsState): void {
  withdraw(state, event.attempt, fenceBefore);
  removeOrder(files);
  if (event.masked) removeMasks(files);
  if (event.cgroup !== null && event.holdsGpus) removeCgroup(event.cgroup);
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

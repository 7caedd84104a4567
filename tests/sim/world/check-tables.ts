/** What must be true of the tables after every commit. */
import type { JobState } from "@nexus/shared/machines/job";
import { type AttemptTableRow, type EventRow, isActiveRow, type Tables } from "../database/tables.ts";
import { isGivenUp } from "./check-end.ts";
import { CPU_JOBS_MAX } from "./control-plane.ts";
import { ground } from "./ground.ts";

export type TableChecks = {
  /** @returns what is wrong, each with its rule. */
  check(): { rule: string; what: string }[];
};

export function createTableChecks(tables: Tables): TableChecks {
  const finalStates = new Map<number, JobState>();
  const fences = new Map<number, number>();
  const versions = new Map<number, number>();
  const ended = new Set<number>();
  let eventsSeen = 0;

  return {
    check() {
      const wrong: { rule: string; what: string }[] = [];
      const say = (rule: string, what: string) => wrong.push({ rule, what });
      for (const attempt of tables.attempts.values()) {
        if (attempt.endedAtMs === null || ended.has(attempt.id)) continue;
        ended.add(attempt.id);
        checkEnded(attempt, say);
      }
      checkLeases(tables, say);
      checkLimits(tables, say);
      for (const event of tables.events.slice(eventsSeen)) checkGivenUp(tables, event, say);
      eventsSeen = tables.events.length;
      for (const row of tables.jobs.values()) {
        const before = finalStates.get(row.id);
        if (before !== undefined && before !== row.state)
          say("no finished job restarts", `${row.publicId} was ${before} and is ${row.state}`);
        if (!tables.liveJobs.has(row)) finalStates.set(row.id, row.state);
        if (row.attemptNumber < (fences.get(row.id) ?? 0))
          say("fences only rise", `${row.publicId} went back to fence ${row.attemptNumber}`);
        fences.set(row.id, row.attemptNumber);
        if (row.version < (versions.get(row.id) ?? 0))
          say("versions only rise", `${row.publicId} went back to version ${row.version}`);
        versions.set(row.id, row.version);
        const attempt = row.attemptId === null ? undefined : tables.attempts.get(row.attemptId);
        const isOpen = attempt !== undefined && attempt.endedAtMs === null;
        if (isActiveRow(row) !== isOpen)
          say(
            "every job is accounted for",
            `${row.publicId} is ${row.state} and its attempt is ${isOpen ? "open" : "over"}`,
          );
        if (isOpen && attempt.fence !== row.attemptNumber)
          say(
            "fences only rise",
            `${attempt.publicId} has fence ${attempt.fence}, its job ${row.attemptNumber}`,
          );
      }
      return wrong;
    },
  };
}

/**
 * Nobody may say that it is over while it runs; what it leaves behind may take a moment longer, unless it holds GPUs. A copy that
 * has its exit on its disk may tell that: the GPUs that are free then are the copy's own. That no two jobs meet on those of the
 * machine itself is looked at whenever one begins there.
 */
function checkEnded({ publicId, endReason }: AttemptTableRow, say: Say): void {
  const run = ground().runs.get(publicId);
  if (run === undefined || endReason === "lost") return;
  const isOver = run.gpus.length > 0 && !run.endWasCopied ? run.pids.size === 0 : run.hasEnded;
  if (!isOver && run.machine.isUp)
    say("what is told as over is over", `${publicId} is ${endReason} and runs`);
}

/** Nothing is given up but by a person, or by the job's own rule as often as that says. */
function checkGivenUp(tables: Tables, { type, actor, jobId }: EventRow, say: Say): void {
  const row = type === "requeue" && actor === "control plane" ? tables.jobs.get(jobId) : undefined;
  if (row !== undefined && row.retriesUsed > (row.retry?.attempts ?? 0))
    say("what is silent is waited for", `${row.publicId} was given up ${row.retriesUsed} times`);
}

type Say = (rule: string, what: string) => void;

function checkLeases(tables: Tables, say: Say): void {
  const held = new Map<number, { isWhole: boolean; memoryMib: number; count: number }>();
  const ofAttempt = new Map<number, number>();
  for (const { gpuId, attemptId, memoryMib } of tables.leases) {
    const one = held.get(gpuId) ?? { isWhole: false, memoryMib: 0, count: 0 };
    held.set(gpuId, one);
    one.isWhole ||= memoryMib === null;
    one.memoryMib += memoryMib ?? 0;
    one.count += 1;
    ofAttempt.set(attemptId, (ofAttempt.get(attemptId) ?? 0) + 1);
    const attempt = tables.attempts.get(attemptId);
    const row = attempt && tables.jobs.get(attempt.jobId);
    const isCurrent = row !== undefined && row.attemptId === attemptId && isActiveRow(row);
    if (attempt !== undefined && !isCurrent && !isGivenUp(tables, attempt.publicId))
      say("only what was given up holds beside its job", `attempt ${attemptId} holds GPU ${gpuId}`);
    if (attempt?.endedAtMs !== null)
      say("no lease outlives its attempt", `attempt ${attemptId} is over and holds GPU ${gpuId}`);
  }
  for (const [gpuId, { isWhole, memoryMib, count }] of held) {
    if (isWhole && count > 1)
      say("no GPU is leased twice", `GPU ${gpuId} has ${count} leases, one of them whole`);
    const totalMib = tables.gpus.get(gpuId)?.facts.memoryTotalMib ?? 0;
    if (memoryMib > totalMib) say("no GPU is leased twice", `GPU ${gpuId}: ${memoryMib} of ${totalMib} MiB`);
  }
  for (const row of tables.liveJobs) {
    const count = row.attemptId === null ? 0 : (ofAttempt.get(row.attemptId) ?? 0);
    const wanted = isActiveRow(row) ? row.gpus : 0;
    if (count !== wanted)
      say("a job holds what it asked for", `${row.publicId} holds ${count} GPUs of ${wanted}`);
  }
}

function checkLimits(tables: Tables, say: Say): void {
  const running = new Map<number, number>();
  const cpuJobs = new Map<number, number>();
  for (const row of tables.liveJobs) {
    if (!isActiveRow(row)) continue;
    running.set(row.queueId, (running.get(row.queueId) ?? 0) + 1);
    if (row.gpus === 0 && row.targetId !== null)
      cpuJobs.set(row.targetId, (cpuJobs.get(row.targetId) ?? 0) + 1);
  }
  for (const { id, name, runningMax } of tables.queues.values()) {
    const count = running.get(id) ?? 0;
    if (runningMax !== null && count > runningMax)
      say("capacity is never exceeded", `queue ${name} runs ${count} of ${runningMax}`);
  }
  for (const [targetId, count] of cpuJobs) {
    if (count > CPU_JOBS_MAX)
      say("capacity is never exceeded", `target ${targetId} runs ${count} without GPUs`);
  }
}

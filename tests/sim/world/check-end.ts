/** What must be true once everything is whole again: every job told truly, every log whole, nothing left over. */
import type { LogStore } from "../../../apps/web/src/server/services/ports.ts";
import type { JobTableRow, Tables } from "../database/tables.ts";
import { ground, type Run } from "./ground.ts";
import { kernel } from "./kernel.ts";
import type { Machine } from "./machine.ts";

export function isSettled(tables: Tables, machines: Machine[]): boolean {
  if (tables.liveJobs.size > 0 || tables.openAttempts.size > 0) return false;
  for (const run of ground().runs.values()) if (run.pids.size > 0 && run.machine.isUp) return false;
  return machines.every(
    (machine) =>
      ![...machine.processes.values()].some(({ words }) => words[0] === "work" || words[0] === "left"),
  );
}

/** What keeps it from being settled, for people. */
export function unsettled(tables: Tables, machines: Machine[]): string {
  const jobs = [...tables.liveJobs].map(
    ({ publicId, state, attemptNumber, targetId, cancelRequestedAtMs }) =>
      `${publicId} ${state} try ${attemptNumber} on ${targetId}${cancelRequestedAtMs === null ? "" : " cancelled"}`,
  );
  const attempts = [...tables.openAttempts]
    .filter(({ endedAtMs }) => endedAtMs !== null)
    .map(({ publicId, logBytes, targetId }) => `${publicId} on ${targetId} awaits ${logBytes} bytes of log`);
  const runs = [...ground().runs.values()]
    .filter(({ pids }) => pids.size > 0)
    .map(({ attempt, machine }) => `${attempt} runs on ${machine.name}`);
  const programs = machines.map(
    (machine) => `${machine.name} ${[...machine.programs].map(({ name }) => name).join()}`,
  );
  return [...jobs, ...attempts, ...runs, ...programs].join("; ");
}

export type EndContext = {
  tables: Tables;
  logs: LogStore;
  /** Ids that a client was told, by its key. */
  acknowledged: Map<string, string>;
  cancelAsked: Set<string>;
  machines: Machine[];
};

export async function checkEnd(context: EndContext): Promise<void> {
  const { tables, acknowledged, logs } = context;
  const { violate } = kernel();
  const byPublicId = new Map([...tables.jobs.values()].map((row) => [row.publicId, row]));
  for (const [key, id] of acknowledged) {
    const row = byPublicId.get(id);
    if (row === undefined) violate("every job is accounted for", `${id} was acknowledged and is not there`);
    else if (row.submitKey !== `${key}:0`)
      violate("a submit key gives one job", `${id} has ${row.submitKey}`);
  }
  if (tables.leases.length > 0) violate("no lease is left", `${tables.leases.length} leases`);
  for (const row of tables.jobs.values()) checkJob(row, context);
  for (const run of ground().runs.values()) {
    const attempt = [...tables.attempts.values()].find(({ publicId }) => publicId === run.attempt);
    if (attempt === undefined) {
      violate("nothing runs that was not leased", `${run.attempt} of ${run.job}`);
      continue;
    }
    if (run.lostLog || run.machine.wasCopied || attempt.endReason === "lost") continue;
    const stored = await logs.read(run.attempt, 0, run.logBytes + 1);
    const wrote = run.log.subarray(0, run.logBytes);
    if (Buffer.compare(stored, wrote) !== 0)
      violate("a log has no gap", `${run.attempt}: ${stored.length} bytes are stored of ${wrote.length}`);
  }
}

function checkJob(row: JobTableRow, { tables, cancelAsked }: EndContext): void {
  const { violate } = kernel();
  const runs = ground().byJob.get(row.publicId) ?? [];
  const latest = row.attemptId === null ? undefined : tables.attempts.get(row.attemptId)?.publicId;
  const last = runs.find(({ attempt }) => attempt === latest);
  const told = `${row.publicId} is ${row.state} (${row.exitCode} ${row.signal} ${row.message})`;
  const isHarmed = runs.some(({ wasHarmed, machine }) => wasHarmed || machine.wasCopied);
  if (row.state === "cancelled" && !cancelAsked.has(row.publicId))
    violate("every job is accounted for", `${told}, and nobody wanted that`);
  if (row.state === "timed_out" && row.timeoutMs === null)
    violate("every job is accounted for", `${told}, and had no limit`);
  const others = runs.filter(
    (run) => run !== last && !run.machine.wasCopied && !isGivenUp(tables, run.attempt),
  );
  if (others.length > 0)
    violate("a job runs once", `${row.publicId} ran ${runs.map(({ attempt }) => attempt).join()}`);
  if (row.state === "succeeded" && last?.status !== 0)
    violate("an exit is told truly", `${told}, and ended with ${last?.status}`);
  if (last === undefined) {
    if (row.state === "succeeded") violate("an exit is told truly", `${told}, and never ran`);
    return;
  }
  if (isHarmed || row.state === "cancelled" || row.state === "timed_out") return;
  checkExit(row, last, told);
}

/** By a person or by its job's own rule, and not taken up again since; its job may then run once more. */
export function isGivenUp(tables: Tables, publicId: string): boolean {
  const latest = tables.events.findLast(
    ({ type, attemptId }) =>
      (type === "requeue" || type === "return") &&
      attemptId !== null &&
      tables.attempts.get(attemptId)?.publicId === publicId,
  );
  return latest?.type === "requeue";
}

/** A run that nothing disturbed is told with its own exit. */
function checkExit(row: JobTableRow, run: Run, told: string): void {
  const { status } = run;
  // A status above 128 is a signal's.
  const isSame = status !== null && status > 128 ? row.signal !== null : row.exitCode === status;
  const isTold = isSame && row.state === (status === 0 ? "succeeded" : "failed");
  if (!isTold) kernel().violate("an acknowledged exit is not lost", `${told}, and ended with ${run.status}`);
}

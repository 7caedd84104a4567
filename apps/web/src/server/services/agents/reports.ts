/**
 * What agents say of attempts: started and exited, from all nodes, one statement of each kind a round.
 *
 * Invariants: only the latest attempt of a job, leased to the node that speaks, changes the job; one that was given up ends,
 * and moves nothing; everything else is answered and changes nothing, so that any message may come twice, late or out of order. An exit may come before its
 * start. Starts and exits of one round are written in that order.
 */

import type { JobEvent } from "@nexus/shared/machines/job";
import { nextJobState } from "@nexus/shared/machines/job";
import type { AttemptExit } from "@nexus/shared/protocol/messages";
import { type EndedAttempt, endAttempts } from "../../db/queries/end-attempts.ts";
import { recordStarted } from "../../db/queries/record-started.ts";
import { announceJobs } from "../announce-jobs.ts";
import { createBatcher } from "../batcher.ts";
import { cleanData, cleanText } from "../clean-text.ts";
import type { LiveAttempt, LiveJob } from "../scheduling/live-jobs.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";
import type { WriteLane } from "../write-lane.ts";
import { agoMs } from "./ago.ts";
import { applyEnds } from "./apply-ends.ts";
import { endGivenUp } from "./end-given-up.ts";
import { endedByUs } from "./ended-by-us.ts";
import { isUnknownHere } from "./sync-node.ts";

export type StartReport = {
  targetId: number;
  attempt: string;
  fence: number;
  pid: number;
  startedAtMs: number;
};
export type ExitReport = { targetId: number; exit: AttemptExit; endedAtMs: number; isLogWhole: boolean };
export type Report = { kind: "started"; report: StartReport } | { kind: "exited"; report: ExitReport };

export type Reports = {
  /** Resolves when it is committed, or known to change nothing. Rejects when the database could not take it. */
  add(reports: Report[]): Promise<void>;
};

const LATE_WORDS: Record<Exclude<AttemptExit["reason"], "exited">, string> = {
  cancelled: "was ended there",
  timed_out: "ran out of time there",
  vanished: "is gone from there",
  start_failed: "never began there",
};

/** A statement costs about a millisecond of Postgres whatever it carries, and nobody waits for these few. See scheduler-loop.ts. */
const GAP_MS = 20;

export function createReports(
  ctx: ServiceContext,
  world: World,
  { lane, wake }: { lane: WriteLane; wake: () => void },
): Reports {
  const batcher = createBatcher<Report[], null>(async (batches) => {
    await lane.run(() => write(batches.flat()));
    return batches.map(() => null);
  }, GAP_MS);
  return {
    async add(reports) {
      if (reports.length > 0) await batcher.add(reports);
    },
  };

  async function write(reports: Report[]): Promise<void> {
    if (world.isStale) await world.load();
    const exits = new Map<LiveAttempt, ExitReport>();
    const late = new Map<LiveAttempt, ExitReport>();
    const starts = new Map<LiveAttempt, StartReport>();
    for (const { kind, report } of reports) {
      if (kind === "exited") {
        const attempt = spokenFor(world, report.targetId, report.exit);
        if (attempt === null) continue;
        // Whatever its node says it ended after it was given out: a job of years ago would be history that may go.
        const dated = { ...report, endedAtMs: Math.max(report.endedAtMs, attempt.assignedAtMs) };
        if (world.live.isGivenUp(attempt)) late.set(attempt, dated);
        else if (isCurrent(world, attempt)) exits.set(attempt, dated);
      } else {
        const attempt = spokenFor(world, report.targetId, report);
        if (attempt && isCurrent(world, attempt)) starts.set(attempt, report);
      }
    }
    const ends = [...exits].flatMap(([attempt, report]) =>
      endOf(world, attempt, { report, start: starts.get(attempt) }),
    );
    for (const attempt of exits.keys()) starts.delete(attempt);
    await writeStarts(starts);
    await endGivenUp(
      ctx,
      world,
      [...late].map(([attempt, report]) => lateEndOf(attempt, report)),
    );
    if (late.size > 0) wake();
    if (ends.length === 0) return;
    for (const { targetId, exit } of exits.values()) pauseTarget(targetId, exit);
    applyEnds(ctx, world, { ended: ends, changed: await endAttempts(ctx.sql, ends) });
    wake();
  }

  /** Of an attempt that was given up: it is told as it was, and moves nothing. */
  function lateEndOf(attempt: LiveAttempt, { exit, endedAtMs, isLogWhole }: ExitReport): EndedAttempt {
    const message = messageOf(exit);
    const how = exit.signal === null ? `exit code ${exit.exitCode}` : `signal ${cleanText(exit.signal)}`;
    const end = exit.reason === "exited" ? `ended there: ${how}` : LATE_WORDS[exit.reason];
    const text = `try ${attempt.fence}, which was given up, ${end}${message === null ? "" : `; ${message}`}`;
    return endedByUs(attempt, {
      state: "lost",
      event: "lose",
      endReason: exit.reason,
      endedAtMs,
      message,
      actor: world.fleet.get(attempt.targetId)?.row.name ?? "agent",
      exitCode: exit.exitCode !== null && exit.exitCode <= 255 ? exit.exitCode : null,
      signal: exit.signal === null ? null : cleanText(exit.signal),
      logBytes: exit.logBytes,
      isClosed: isLogWhole,
      note: { atMs: ctx.clock.nowMs(), text },
    });
  }

  /** Before the line is planned again, or the same place would be taken again at once. */
  function pauseTarget(targetId: number, { nodeFault }: AttemptExit): void {
    const target = nodeFault ? world.fleet.get(targetId) : undefined;
    if (nodeFault && target) world.fleet.decline(target, cleanData(nodeFault), ctx.clock.nowMs());
  }

  async function writeStarts(starts: Map<LiveAttempt, StartReport>): Promise<void> {
    const rows = [...starts].map(([attempt, { pid, startedAtMs }]) => ({
      attemptId: attempt.rowId,
      pid,
      startedAtMs,
      targetName: world.fleet.get(attempt.targetId)?.row.name ?? "",
    }));
    if (rows.length === 0) return;
    const changed = await recordStarted(ctx.sql, rows);
    const versions = new Map(changed.map((row) => [row.publicId, row.version]));
    const moved: LiveJob[] = [];
    for (const [attempt, { pid, startedAtMs }] of starts) {
      const job = world.live.jobs.get(attempt.job);
      const version = versions.get(attempt.job);
      if (!job || version === undefined) continue;
      attempt.pid = pid;
      attempt.startedAtMs ??= startedAtMs;
      attempt.needsSend = false;
      attempt.isEstranged = false;
      if (job.activeView) job.activeView.sinceMs = attempt.startedAtMs;
      world.live.move(job, "start", version);
      moved.push(job);
    }
    announceJobs(ctx.events, moved);
  }
}

/** The attempt that a node may speak for: leased to it, of that fence, and not over. */
function spokenFor(
  world: World,
  targetId: number,
  named: { attempt: string; fence: number },
): LiveAttempt | null {
  const attempt = world.live.attempts.get(named.attempt);
  if (!attempt || attempt.targetId !== targetId || attempt.fence !== named.fence) return null;
  return attempt.ended ? null : attempt;
}

function isCurrent(world: World, attempt: LiveAttempt): boolean {
  return world.live.jobs.get(attempt.job)?.attempt === attempt;
}

function endOf(
  world: World,
  attempt: LiveAttempt,
  { report, start }: { report: ExitReport; start: StartReport | undefined },
): EndedAttempt[] {
  const job = world.live.jobs.get(attempt.job);
  if (!job) return [];
  const { exit, endedAtMs } = report;
  // Of a machine that this was never sent to: it knows nothing of what may run where it was.
  const isElsewhere = attempt.isEstranged && isUnknownHere({ state: "exited", exit });
  const isNoWord = exit.reason === "vanished" || exit.reason === "timed_out";
  // What is to be cancelled waits for nobody: no person and no rule could give it up.
  if (isElsewhere && isNoWord && !job.cancel) return [];
  const event = isElsewhere ? "lose" : eventOf(exit, job);
  const state = nextJobState(job.state, event);
  if (!state) return [];
  const startedAtMs =
    attempt.startedAtMs ?? start?.startedAtMs ?? (exit.ranMs === null ? null : agoMs(endedAtMs, exit.ranMs));
  return [
    {
      attemptId: attempt.rowId,
      job: job.id,
      attempt: attempt.id,
      state,
      event,
      endReason: event === "decline" ? "declined" : isElsewhere ? "lost" : exit.reason,
      actor: world.fleet.get(attempt.targetId)?.row.name ?? "agent",
      message: messageOf(exit),
      exitCode: exit.exitCode !== null && exit.exitCode <= 255 ? exit.exitCode : null,
      signal: exit.signal === null ? null : cleanText(exit.signal),
      logBytes: isElsewhere ? null : exit.logBytes,
      startedAtMs: startedAtMs === null ? null : Math.min(startedAtMs, endedAtMs),
      endedAtMs,
      pid: start?.pid ?? null,
      // Its log goes on where it may run, and never comes from there.
      isClosed: report.isLogWhole || event === "decline" || isElsewhere,
      note: null,
    },
  ];
}

function eventOf(exit: AttemptExit, job: LiveJob): JobEvent {
  switch (exit.reason) {
    case "exited":
      return exit.exitCode === 0 ? "succeed" : "fail";
    case "cancelled":
      return "cancel";
    case "timed_out":
      return "time_out";
    case "vanished":
      return "fail";
    case "start_failed":
      if (exit.nodeFault && job.cancel) return "cancel";
      if (exit.nodeFault && nextJobState(job.state, "decline")) return "decline";
      return nextJobState(job.state, "refuse") ? "refuse" : "fail";
  }
}

function messageOf(exit: AttemptExit): string | null {
  const left = exit.leftovers.length;
  const parts = [
    exit.nodeFault ? `it refuses starts: ${exit.nodeFault.message}` : exit.message,
    left > 0
      ? `${left} process${left === 1 ? "" : "es"} survived the kill: ${exit.leftovers.map((one) => `${one.pid} ${one.command}`).join(", ")}`
      : null,
  ];
  const text = parts.filter((part) => part !== null && part !== "").join("; ");
  return text === "" ? null : cleanText(text.slice(0, 4096));
}

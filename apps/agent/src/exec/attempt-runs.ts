/**
 * Follows attempts from `recorded` to `ended`: starts that supervisors report, exits, deadlines, stops, and what is found of
 * attempts whose supervisor serves another agent's pipe or has died.
 *
 * Owns: the live attempts, their deadlines and file watches, and the events to report.
 * Invariants: an attempt has one outcome, the first that is seen; it is `ended`, and reported, only after its processes are
 * gone or given up, so whoever gets its GPUs next does not meet them. Every fact has two ways here: a notice or file event,
 * which is fast, and a look at the disk and process table every few seconds, which misses nothing.
 * Refuses: to believe that a job ended because its supervisor did. The job's processes count.
 */
import type { AttemptExit, NodeFault } from "@nexus/shared/protocol/messages";
import type { Claim } from "../core/attempt-record.ts";
import { type DiskFacts, judge, type StopReason } from "../core/attempts.ts";
import { gatherFacts, mayBeClaimed, supervisorIsAlive } from "./attempt-facts.ts";
import { readRecord, recordChangedAtMs, removeOrder, voidRecord, writeLost } from "./attempt-files.ts";
import { createDeadlines } from "./deadlines.ts";
import { createTreeEnder, signal } from "./end-trees.ts";
import { createKinFollower } from "./follow-kin.ts";
import { cgroupIsEmpty, dropCgroup, enterCgroup } from "./job-cgroups.ts";
import type { Notice } from "./launcher-notice.ts";
import { ageMs, exitOf, type LiveAttempt, type Outcome, treeOf } from "./live-attempt.ts";
import type { ProcessTable } from "./process-row.ts";
import { createRecordWatches } from "./record-watches.ts";

export type AttemptEvent =
  | { type: "started"; attempt: string; fence: number; pid: number; startedAgoMs: number }
  | ({ type: "exited" } & AttemptExit);

export type AttemptRuns = {
  live: Map<string, LiveAttempt>;
  /** Attempts that were ordered and have not begun. */
  ordered(): LiveAttempt[];
  add(live: LiveAttempt): void;
  notice(notice: Notice): void;
  /** What was ordered and has not begun never will, for a fault of the node. */
  giveBack(fault: NodeFault): void;
  /** The reason is durable, or never will be. */
  stop(live: LiveAttempt, graceMs: number): void;
  /** Looks at disk and processes. */
  look(live: LiveAttempt): void;
  /** It never began, and without its record a late supervisor would begin it. */
  mayYetBeClaimed(live: LiveAttempt): boolean;
  close(): void;
};

export type AttemptRunsOptions = {
  table: ProcessTable;
  bootId: string;
  /** What the path of every launcher's script begins with. */
  scriptPrefix: string;
  lookEveryMs: number;
  nowMs(): number;
  onEvents(events: AttemptEvent[]): void;
  /** Makes a stop durable and part of what is known; resolves when it may be acted on. */
  recordStop(attempt: string, stop: { reason: StopReason; graceMs: number }): Promise<void>;
  /** Whoever had their order died before the claim. A second order does no harm: a record is claimed once. */
  orderAgain(lives: LiveAttempt[]): void;
  /** Why a supervisor could not write its record, as far as the disk tells. */
  faultOfHome(): NodeFault;
};

const MESSAGE = {
  rebooted: "The machine was restarted while the job ran.",
  vanished:
    "The job and its supervisor are gone without an exit record: they were killed together, for example for want of memory.",
  orphaned: "The job's supervisor was killed, so nobody learned the job's exit status.",
  notBegun:
    "The job did not begin: its supervisor could not write its record on the node (is the disk full?).",
  cancelled: "It was stopped before it started.",
} as const;

/** Short jobs are over by then, also on a machine that is busy with many of them: a cgroup costs more than such a job. */
const ENTER_AFTER_MS = 100;
/** Reading the uptime takes some 20 µs, and a busy node asks twice a job. */
const UPTIME_GOOD_FOR_MS = 50;

export function createAttemptRuns(options: AttemptRunsOptions): AttemptRuns {
  const { table, bootId, nowMs } = options;
  const all = new Map<string, LiveAttempt>();
  /** By order: when the last has begun, or never will, the order is of no use, and it may hold secrets. */
  const unbegun = new Map<string, Set<string>>();
  const ender = createTreeEnder(table, nowMs);
  const watches = createRecordWatches((attempt) => withLive(attempt, look));
  const deadlines = createDeadlines(nowMs, (attempt) => withLive(attempt, timeOut));
  const kin = createKinFollower({ table, nowMs, everyMs: options.lookEveryMs, running: uncontained });
  const lookTimer = setInterval(lookAtAll, options.lookEveryMs);
  let events: AttemptEvent[] = [];
  let clock: { atMs: number; uptimeMs: number | null } = { atMs: Number.NEGATIVE_INFINITY, uptimeMs: null };
  let isClosed = false;
  /** Ordered a while ago, with nobody left who could begin them. */
  let unclaimed: LiveAttempt[] = [];

  function withLive(attempt: string, act: (live: LiveAttempt) => void): void {
    const live = all.get(attempt);
    if (live) act(live);
  }

  /** Events of one turn are handed on together, and never before the call that caused them has returned. */
  function emit(event: AttemptEvent): void {
    events.push(event);
    if (events.length > 1) return;
    setImmediate(() => {
      const batch = events;
      events = [];
      options.onEvents(batch);
    });
  }

  function started(live: LiveAttempt, claim: Claim | null, childPid: number | null): void {
    live.claim ??= claim;
    live.childPid ??= childPid;
    // Reported as never started, on a disk that took no record: it must not run now.
    if (live.outcome?.kind === "void") void ender.end(treeOf(live), { graceMs: 0, over: () => true });
    if (live.phase !== "recorded") return;
    live.phase = "running";
    noteBegun(live);
    const { attempt, fence, timeoutMs, stop } = live.known;
    const now = nowMs();
    live.startedAtMs = now - ageOf(live, live.claim?.uptimeMs ?? null);
    emit({
      type: "started",
      attempt,
      fence,
      pid: live.childPid ?? live.claim?.pid ?? 0,
      startedAgoMs: ageMs(live.startedAtMs, now),
    });
    if (!live.isOrdered) watches.watch(attempt, live.files.record);
    if (live.known.cgroup !== null && !live.known.holdsGpus) setTimeout(enter, ENTER_AFTER_MS, live).unref();
    if (live.known.cgroup === null) kin.lookSoon();
    if (timeoutMs !== null) deadlines.set(attempt, live.startedAtMs + timeoutMs);
    if (stop) stopRunning(live, stop.graceMs);
  }

  function uncontained(): LiveAttempt[] {
    return [...all.values()].filter(({ phase, known }) => phase === "running" && known.cgroup === null);
  }

  function noteBegun({ known, files }: LiveAttempt): void {
    const together = unbegun.get(known.order);
    if (!together?.delete(known.attempt) || together.size > 0) return;
    unbegun.delete(known.order);
    removeOrder(files);
  }

  /** Not every job is worth a cgroup: see job-cgroups.ts. */
  async function enter(live: LiveAttempt): Promise<void> {
    const { cgroup } = live.known;
    const pid = live.childPid;
    const isSame = all.get(live.known.attempt) === live && live.phase === "running" && !isClosed;
    if (cgroup === null || pid === null || !isSame || !supervisorLives(live)) return;
    live.mayHaveCgroup = true;
    live.isInCgroup = await enterCgroup(cgroup, pid);
  }

  /** How long ago the machine's uptime was `uptimeMs`; on systems without it the record's own age tells. */
  function ageOf(live: LiveAttempt, uptimeMs: number | null): number {
    const uptimeNowMs = lookAtClock();
    if (uptimeMs !== null && uptimeNowMs !== null && live.known.bootId === bootId)
      return uptimeNowMs - uptimeMs;
    const changedAtMs = recordChangedAtMs(live.files);
    return changedAtMs === null ? 0 : Math.max(0, Date.now() - changedAtMs);
  }

  function lookAtClock(): number | null {
    const now = nowMs();
    if (now - clock.atMs > UPTIME_GOOD_FOR_MS) clock = { atMs: now, uptimeMs: table.uptimeMs() };
    return clock.uptimeMs === null ? null : clock.uptimeMs + now - clock.atMs;
  }

  /** @param isAlone nothing is left in the job's process group. */
  function outcomeSeen(live: LiveAttempt, outcome: Outcome, isAlone = false): void {
    if (live.outcome !== null) return;
    live.outcome = outcome;
    live.phase = "ending";
    noteBegun(live);
    deadlines.clear(live.known.attempt);
    watches.unwatch(live.known.attempt);
    const endedAtMs = nowMs() - (outcome.kind === "void" ? 0 : ageOf(live, outcome.uptimeMs));
    if (outcome.kind === "void" || live.known.bootId !== bootId) {
      report(live, endedAtMs, []);
      return;
    }
    const graceMs = outcome.kind === "lost" ? 0 : (live.known.stop?.graceMs ?? live.known.graceMs);
    const { cgroup, holdsGpus, stop } = live.known;
    // A pass over all processes takes its time, and jobs that end by themselves seldom leave anything outside of their group.
    const isHurried = isAlone && !holdsGpus && stop === null;
    if (isHurried && live.isInCgroup && cgroup !== null && cgroupIsEmpty(cgroup)) {
      void dropCgroup(cgroup);
      report(live, endedAtMs, []);
      return;
    }
    ender.lookSoon();
    if (isHurried) {
      ender.sweep(treeOf(live), { graceMs });
      report(live, endedAtMs, []);
      return;
    }
    const cleared = ender.end(treeOf(live), { graceMs, over: () => true });
    void cleared.then((leftovers) => report(live, endedAtMs, leftovers));
  }

  function report(live: LiveAttempt, endedAtMs: number, leftovers: { pid: number; command: string }[]): void {
    if (live.outcome === null) return;
    const exit = exitOf(live, live.outcome, leftovers);
    live.phase = "ended";
    live.ended = { exit, atMs: endedAtMs };
    emit({ type: "exited", ...exit, endedAgoMs: ageMs(endedAtMs, nowMs()) });
  }

  /** Whether the supervisor has other attempts to look after. */
  function isShared({ pid, startTime }: Claim): boolean {
    const its = [...all.values()].filter(
      ({ claim, outcome }) => outcome === null && claim?.pid === pid && claim.startTime === startTime,
    );
    return its.length > 1;
  }

  function supervisorLives(live: LiveAttempt): boolean {
    return supervisorIsAlive(live.claim, table);
  }

  function stop(live: LiveAttempt, graceMs: number): void {
    if (live.phase === "running") stopRunning(live, graceMs);
    // Where a supervisor was first, its start is about to be seen, and finds the stop in what is known.
    else if (live.phase === "recorded" && voidRecord(live.files)) {
      outcomeSeen(live, { kind: "void", message: MESSAGE.cancelled, nodeFault: null });
    }
  }

  function stopRunning(live: LiveAttempt, graceMs: number): void {
    const over = () => live.outcome !== null || !supervisorLives(live);
    void ender.end(treeOf(live), { graceMs, over }).then(() => {
      if (live.outcome !== null) return;
      look(live);
      if (live.outcome !== null) return;
      // Nothing is left of the job, and its supervisor has had its time to say so.
      if (live.claim && supervisorLives(live) && !isShared(live.claim)) signal(live.claim.pid, "SIGKILL");
      lose(live, MESSAGE.orphaned);
    });
  }

  function notBegun(live: LiveAttempt, kind: "unclaimed" | "unrecorded"): void {
    if (kind === "unrecorded") neverBegan(live, options.faultOfHome());
    else giveBackOne(live, options.faultOfHome());
  }

  /** Only with a void record, or a late order could begin it here while it runs elsewhere. */
  function giveBackOne(live: LiveAttempt, fault: NodeFault): void {
    live.isOrdered = false;
    if (voidRecord(live.files)) neverBegan(live, fault);
    // An order of an earlier agent was first; that supervisor talks to a pipe that nobody reads.
    else if (readRecord(live.files).exists) look(live);
    else live.givenBackFor = fault;
  }

  function neverBegan(live: LiveAttempt, nodeFault: NodeFault): void {
    outcomeSeen(live, { kind: "void", message: MESSAGE.notBegun, nodeFault });
  }

  function timeOut(live: LiveAttempt): void {
    if (live.phase !== "running" || live.known.stop) return;
    const { graceMs } = live.known;
    void options.recordStop(live.known.attempt, { reason: "timed_out", graceMs }).then(() => {
      if (live.phase === "running" && !isClosed) stopRunning(live, graceMs);
    });
  }

  function lose(live: LiveAttempt, message: string): void {
    const { end } = readRecord(live.files);
    // An earlier agent may have found it so, and then it ended at that time.
    const uptimeMs =
      end?.kind === "lost" ? end.uptimeMs : live.known.bootId === bootId ? table.uptimeMs() : null;
    if (end === null) writeLost(live.files, uptimeMs);
    outcomeSeen(live, { kind: "lost", uptimeMs, message });
  }

  function lookAtAll(): void {
    unclaimed = [];
    for (const live of all.values()) {
      // What was just ordered is told.
      if (live.phase === "recorded" && live.isOrdered && !live.isAwaited) live.isAwaited = true;
      else if (
        live.phase === "recorded" ||
        (live.phase === "running" && !(live.isOrdered && supervisorLives(live)))
      ) {
        look(live);
      }
    }
    for (const live of unclaimed) live.isAwaited = false;
    if (unclaimed.length > 0) options.orderAgain(unclaimed);
  }

  function look(live: LiveAttempt): void {
    if (live.phase === "ending" || live.phase === "ended") return;
    const facts = gatherFacts(live, { ...options, others: all.values() });
    const { record } = facts;
    switch (judge(facts)) {
      case "recorded":
        if (live.known.stop) stop(live, live.known.stop.graceMs);
        else if (live.givenBackFor) giveBackOne(live, live.givenBackFor);
        else if (live.isOrdered && live.isAwaited && !facts.supervisorUnaccounted) unclaimed.push(live);
        return;
      case "starting":
        return;
      case "running":
      case "orphaned":
        started(live, record.claim, record.childPid);
        return;
      case "never_started":
        if (live.known.stop) outcomeSeen(live, { kind: "void", message: MESSAGE.cancelled, nodeFault: null });
        else neverBegan(live, live.givenBackFor ?? options.faultOfHome());
        return;
      case "exited":
        if (record.end?.kind === "exit") outcomeSeen(live, record.end);
        return;
      case "vanished":
        lose(live, messageOfLoss(live, facts));
    }
  }

  function messageOfLoss(live: LiveAttempt, { sameBoot }: DiskFacts): string {
    if (!sameBoot) return MESSAGE.rebooted;
    return live.phase === "running" ? MESSAGE.orphaned : MESSAGE.vanished;
  }

  const waiting = () => [...all.values()].filter(({ isOrdered, phase }) => isOrdered && phase === "recorded");
  return {
    live: all,
    ordered: waiting,
    giveBack(fault) {
      for (const live of waiting()) giveBackOne(live, fault);
    },
    add(live) {
      const { attempt, order } = live.known;
      all.set(attempt, live);
      const together = unbegun.get(order) ?? new Set();
      unbegun.set(order, together.add(attempt));
    },
    notice(notice) {
      const live = all.get(notice.attempt);
      if (!live) return;
      if (notice.kind === "started") started(live, notice.claim, notice.childPid);
      else if (notice.kind === "exited") outcomeSeen(live, { ...notice, kind: "exit" }, notice.alone);
      else if (live.phase === "recorded") notBegun(live, notice.kind);
    },
    stop,
    look,
    mayYetBeClaimed: (live) => mayBeClaimed(live, { ...options, others: all.values() }),
    close() {
      isClosed = true;
      clearInterval(lookTimer);
      kin.close();
      ender.close();
      watches.close();
      deadlines.close();
    },
  };
}

/**
 * Which attempts this node knows, as a fold over what its journal says; and what to believe of each after a restart.
 *
 * Owns: the known attempts and, for every job ever accepted here, the highest fence.
 * Invariants: an attempt enters once, however often the journal is replayed or the start repeated, also after it was
 * forgotten, since its fence stays. Fences of a job only rise.
 * Refuses: a start whose fence is not above the job's highest, unless it names an attempt that is known.
 *
 * After a restart the disk decides, because the old agent may have died anywhere between these steps:
 *   1 the order, with the job's script   2 `accepted` durable in the journal   3 order to the launcher
 *   4 a supervisor claims (creates the record)   5 its child runs   6 `exit` in the record   7 reported   8 forgotten
 * - Died before 2: the order is debris; the start was never answered, and the control plane will repeat it.
 * - Died between 2 and 4: no record. Nobody can tell whether an old launcher still holds the order, and it does not
 *   matter: whoever creates the record decides. The attempt is `recorded`; ordering it again starts it at most once,
 *   and voiding it (on a stop) makes every late order fail. The agent does neither by itself: the control plane may
 *   have given the lease away meanwhile.
 * - Died during 4: the record exists without a whole claim. Its supervisor either still runs, then it will finish the
 *   line; or it has died, or the disk took no claim: then the job never began, since the claim comes before the job.
 * - Died after 4: the claim names a process by (boot, pid, start time). It lives, or it has written `exit`, or it was
 *   killed: then the job's own processes may still run without it, and nobody will ever learn their exit status.
 * - After a reboot nothing of before runs. Without `exit` the attempt has vanished, also when there is no record at
 *   all: the record is not synced, so a power cut may have taken it from a job that had begun.
 */
import type { AttemptRecord } from "./attempt-record.ts";

export type StopReason = "cancelled" | "timed_out";

export type KnownAttempt = {
  attempt: string;
  job: string;
  fence: number;
  /** The boot in which it was accepted. */
  bootId: string;
  timeoutMs: number | null;
  graceMs: number;
  /** The file with what it runs, shared with those that were ordered together: named after the first of them. */
  order: string;
  /** Its processes must be gone before it is reported, since another job may get its GPUs. */
  holdsGpus: boolean;
  /** Their UUIDs. */
  gpus: string[];
  /** The directory of its cgroup, where the agent owned one. */
  cgroup: string | null;
  /** Its log shows none of some values, which are in a file of their own. */
  masked: boolean;
  stop: { reason: StopReason; graceMs: number } | null;
  /** From this byte on its log may lack something, since the disk was full. */
  logGapAt: number | null;
};

/** One line of the journal. */
export type DurableEvent =
  | ({ type: "accepted" } & Omit<KnownAttempt, "stop" | "logGapAt">)
  | { type: "stop"; attempt: string; reason: StopReason; graceMs: number }
  | { type: "gap"; attempt: string; offset: number }
  | { type: "forgotten"; attempt: string }
  /** Written by compaction: what is left of attempts that were forgotten. */
  | { type: "fence"; job: string; fence: number };

export type AttemptsState = {
  attempts: Map<string, KnownAttempt>;
  /** By job, the one that rose last at the end. */
  fences: Map<string, number>;
};

/**
 * Fences of jobs of which no attempt is left, some 60 bytes each. A start is repeated within seconds; this many jobs ago
 * nobody repeats it.
 */
const FENCES_MAX = 20_000;

export function noAttempts(): AttemptsState {
  return { attempts: new Map(), fences: new Map() };
}

export type Admission =
  | { kind: "accept" }
  | { kind: "known"; known: KnownAttempt }
  | { kind: "fence_passed"; fence: number };

export function admit(
  state: AttemptsState,
  start: { attempt: string; job: string; fence: number },
): Admission {
  const known = state.attempts.get(start.attempt);
  if (known) return { kind: "known", known };
  const fence = state.fences.get(start.job);
  if (fence !== undefined && start.fence <= fence) return { kind: "fence_passed", fence };
  return { kind: "accept" };
}

/** Changes `state`. An event that makes no sense in it changes nothing, so that replaying twice is replaying once. */
export function applyEvent(state: AttemptsState, event: DurableEvent): void {
  switch (event.type) {
    case "accepted": {
      if (admit(state, event).kind !== "accept") return;
      const { type: _, ...facts } = event;
      state.attempts.set(event.attempt, { ...facts, stop: null, logGapAt: null });
      raiseFence(state, event.job, event.fence);
      return;
    }
    case "stop": {
      const known = state.attempts.get(event.attempt);
      if (known) known.stop ??= { reason: event.reason, graceMs: event.graceMs };
      return;
    }
    case "gap": {
      const known = state.attempts.get(event.attempt);
      if (known) known.logGapAt ??= event.offset;
      return;
    }
    case "forgotten":
      state.attempts.delete(event.attempt);
      return;
    case "fence":
      raiseFence(state, event.job, event.fence);
  }
}

/** Takes back an `accepted` that could not be made durable. The fence falls back too: the start was refused. */
export function withdraw(state: AttemptsState, attempt: string, fenceBefore: number | undefined): void {
  const known = state.attempts.get(attempt);
  if (!known) return;
  state.attempts.delete(attempt);
  if (state.fences.get(known.job) !== known.fence) return;
  if (fenceBefore === undefined) state.fences.delete(known.job);
  else state.fences.set(known.job, fenceBefore);
}

/** The shortest journal that says the same. */
export function compactEvents(state: AttemptsState, fencesMax: number = FENCES_MAX): DurableEvent[] {
  const fenceOfKnown = fencesOfKnown(state);
  const events: DurableEvent[] = [];
  for (const { stop, logGapAt, ...facts } of state.attempts.values()) {
    const { attempt } = facts;
    events.push({ type: "accepted", ...facts });
    if (stop) events.push({ type: "stop", attempt, ...stop });
    if (logGapAt !== null) events.push({ type: "gap", attempt, offset: logGapAt });
  }
  // After the attempts: a fence above an attempt's own would refuse it on replay.
  const bare = [...state.fences].filter(([job, fence]) => fenceOfKnown.get(job) !== fence);
  for (const [job, fence] of bare.slice(-fencesMax)) events.push({ type: "fence", job, fence });
  return events;
}

/** What a restarted agent found out about one attempt, collected in this order: processes first, then the record. */
export type DiskFacts = {
  record: AttemptRecord;
  orderExists: boolean;
  sameBoot: boolean;
  /** A process with the claim's pid and start time lives. */
  supervisorAlive: boolean;
  /** A process carries the attempt's marker or is in the job's process group. */
  treeAlive: boolean;
  /** A supervisor lives that no record's claim names. */
  supervisorUnaccounted: boolean;
};

export type Finding =
  /** Accepted, and no supervisor has claimed it. */
  | "recorded"
  /** A supervisor is about to write its claim. */
  | "starting"
  | "running"
  /** The job runs, its supervisor does not. */
  | "orphaned"
  | "exited"
  | "never_started"
  | "vanished";

export function judge(facts: DiskFacts): Finding {
  const { record } = facts;
  if (record.end?.kind === "void") return "never_started";
  if (record.end?.kind === "exit") return "exited";
  if (record.end?.kind === "lost" || !facts.sameBoot) return "vanished";
  if (record.claim && facts.supervisorAlive) return "running";
  if (facts.treeAlive) return "orphaned";
  if (record.claim) return "vanished";
  if (record.exists) return facts.supervisorUnaccounted ? "starting" : "never_started";
  return facts.orderExists ? "recorded" : "vanished";
}

function raiseFence(state: AttemptsState, job: string, fence: number): void {
  const before = state.fences.get(job);
  if (before !== undefined && before >= fence) return;
  state.fences.delete(job);
  state.fences.set(job, fence);
  if (state.fences.size > 2 * FENCES_MAX) dropOldestFences(state);
}

function dropOldestFences(state: AttemptsState): void {
  const known = fencesOfKnown(state);
  for (const job of state.fences.keys()) {
    if (state.fences.size <= FENCES_MAX) return;
    if (!known.has(job)) state.fences.delete(job);
  }
}

function fencesOfKnown({ attempts }: AttemptsState): Map<string, number> {
  const fences = new Map<string, number>();
  for (const { job, fence } of attempts.values()) fences.set(job, Math.max(fence, fences.get(job) ?? fence));
  return fences;
}

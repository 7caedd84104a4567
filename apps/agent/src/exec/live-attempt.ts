import { realpathSync } from "node:fs";
import { constants } from "node:os";
import { LEFTOVER_COMMAND_CHARS_MAX, LEFTOVERS_MAX } from "@nexus/shared/protocol/limits";
import type { AttemptExit, AttemptInventory, JobStart, NodeFault } from "@nexus/shared/protocol/messages";
import type { Claim } from "../core/attempt-record.ts";
import type { KnownAttempt } from "../core/attempts.ts";
import { type AttemptFiles, logBytes } from "./attempt-files.ts";
import type { Leftover, Tree } from "./end-trees.ts";
import type { Order } from "./launcher.ts";

/** How an attempt ended; its processes may still have to be cleared away. Uptimes are of the machine. */
export type Outcome =
  | { kind: "exit"; status: number; uptimeMs: number | null }
  /** It never ran. */
  | { kind: "void"; message: string | null; nodeFault: NodeFault | null }
  | { kind: "lost"; uptimeMs: number | null; message: string };

/**
 * An attempt in the memory of this agent. `recorded → running → ending → ended`; any but the last may be skipped.
 * Times are on the agent's monotonic clock unless their name says otherwise.
 */
export type LiveAttempt = {
  known: KnownAttempt;
  files: AttemptFiles;
  phase: "recorded" | "running" | "ending" | "ended";
  /** This agent has ordered it, so its supervisor tells this agent. */
  isOrdered: boolean;
  /** It was ordered before the last look, and has not begun. */
  isAwaited: boolean;
  /** It and all that it forked are in its cgroup. */
  isInCgroup: boolean;
  /** One was made for it, or an earlier agent may have made it. */
  mayHaveCgroup: boolean;
  claim: Claim | null;
  childPid: number | null;
  startedAtMs: number | null;
  outcome: Outcome | null;
  /** It is to be given back, and waits for a disk on which its record can be voided. */
  givenBackFor: NodeFault | null;
  /** Pids and start times of its processes that were seen while it ran; see follow-kin.ts. */
  kin: Map<number, string>;
  ended: { exit: Omit<AttemptExit, "endedAgoMs">; atMs: number } | null;
};

export function liveAttempt(known: KnownAttempt, files: AttemptFiles): LiveAttempt {
  return {
    known,
    files,
    phase: "recorded",
    isOrdered: false,
    isAwaited: false,
    isInCgroup: false,
    mayHaveCgroup: true,
    claim: null,
    childPid: null,
    startedAtMs: null,
    outcome: null,
    givenBackFor: null,
    kin: new Map(),
    ended: null,
  };
}

/** Those that came together are ordered together. */
export function ordersOf(lives: LiveAttempt[]): Order[] {
  return [...Map.groupBy(lives, ({ known }) => known.order)].map(([order, ofOrder]) => ({
    order,
    attempts: ofOrder.map(({ known }) => known.attempt),
  }));
}

export function treeOf({ known, claim, childPid, files, kin }: LiveAttempt): Tree {
  return {
    attempt: known.attempt,
    supervisorPid: claim?.pid ?? null,
    group: childPid ?? claim?.pid ?? null,
    session: claim?.session ?? 0,
    since: claim?.startTime ?? null,
    cgroup: known.cgroup,
    log: truePath(files.log),
    kin,
  };
}

/** As the kernel names it. */
function truePath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // It is forgotten; what is left of the job is found in other ways.
    return path;
  }
}

export function inventoryOf(live: LiveAttempt, nowMs: number): AttemptInventory {
  const { known, ended, startedAtMs } = live;
  return {
    attempt: known.attempt,
    fence: known.fence,
    state: stateOf(live),
    pid: live.childPid ?? live.claim?.pid ?? null,
    startedAgoMs: startedAtMs === null ? null : ageMs(startedAtMs, nowMs),
    logBytes: ended?.exit.logBytes ?? logBytes(live.files),
    exit: ended === null ? null : { ...ended.exit, endedAgoMs: ageMs(ended.atMs, nowMs) },
  };
}

export function stateOf({ phase }: LiveAttempt): AttemptInventory["state"] {
  return phase === "recorded" ? "recorded" : phase === "ended" ? "exited" : "running";
}

/** Of a start that is being recorded, and may yet be refused. */
export function inventoryOfStart({ attempt, fence }: JobStart): AttemptInventory {
  return { attempt, fence, state: "recorded", pid: null, startedAgoMs: null, logBytes: 0, exit: null };
}

export function ageMs(atMs: number, nowMs: number): number {
  return Math.max(0, Math.round(nowMs - atMs));
}

/** The report of an attempt whose processes are gone, or given up. */
export function exitOf(
  live: LiveAttempt,
  outcome: Outcome,
  leftovers: Leftover[],
): Omit<AttemptExit, "endedAgoMs"> {
  const { known, claim } = live;
  const natural = { exit: "exited", void: "start_failed", lost: "vanished" } as const;
  const endUptimeMs = outcome.kind === "void" ? null : outcome.uptimeMs;
  return {
    attempt: known.attempt,
    fence: known.fence,
    ...(outcome.kind === "exit" ? decodeStatus(outcome.status) : { exitCode: null, signal: null }),
    reason: known.stop?.reason ?? natural[outcome.kind],
    message: outcome.kind === "exit" ? null : outcome.message,
    logBytes: logBytes(live.files),
    ranMs: claim?.uptimeMs == null || endUptimeMs === null ? null : Math.max(0, endUptimeMs - claim.uptimeMs),
    ...(outcome.kind === "void" && outcome.nodeFault && !known.stop ? { nodeFault: outcome.nodeFault } : {}),
    leftovers: leftovers.slice(0, LEFTOVERS_MAX).map(({ pid, command }) => {
      return { pid, command: command.slice(0, LEFTOVER_COMMAND_CHARS_MAX) };
    }),
  };
}

const SIGNAL_NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/**
 * Shells report an end by signal n as 128 + n. A program that exits with such a number by itself is most often a shell that
 * passes on its child's signal, so both read as the signal.
 */
function decodeStatus(status: number): { exitCode: number | null; signal: string | null } {
  const signal = status > 128 && status < 128 + 32 ? SIGNAL_NAMES.get(status - 128) : undefined;
  return signal === undefined ? { exitCode: status, signal: null } : { exitCode: null, signal };
}

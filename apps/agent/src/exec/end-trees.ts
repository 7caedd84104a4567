/**
 * The kill ladder: TERM to every process of a job → grace → its cgroup's kill switch → KILL, again and again until a pass
 * over the process table finds nothing → what is left is reported.
 *
 * Owns: the jobs whose processes are being ended, and one timer. All of them share each pass.
 * Invariants: a supervisor is never signalled; passes take at most about a tenth of the agent's time, however many jobs end.
 * A pass that misses a process just being forked does not matter: the next pass finds it, and only an empty one ends it.
 */
import { cgroupPids, killCgroup, removeCgroup } from "./job-cgroups.ts";
import type { ProcessRow, ProcessTable } from "./process-row.ts";

export type Tree = {
  attempt: string;
  supervisorPid: number | null;
  /** The job's process group, and the session that it was made in: together they are not given to others while it lives. */
  group: number | null;
  session: number;
  /** Start time of the supervisor; nothing of the job is older. Null when it is not known. */
  since: string | null;
  cgroup: string | null;
  /** Where its output goes; nothing else on the machine writes there. */
  log: string;
  /** Pids and start times of what was seen of it while it ran. */
  kin: ReadonlyMap<number, string>;
};

export type Leftover = { pid: number; command: string };

export type TreeEnder = {
  /**
   * Resolves when nothing of the tree is left and `over` says so too, or KILL has not helped for a while. Called again for
   * the same attempt it answers with the same promise and keeps the earlier end of the grace.
   */
  end(tree: Tree, options: { graceMs: number; over: () => boolean }): Promise<Leftover[]>;
  /** As `end`, of which nothing is likely to be left: such trees wait for each other, to share the first pass. */
  sweep(tree: Tree, options: { graceMs: number }): void;
  /** Something has ended: look soon. */
  lookSoon(): void;
  close(): void;
};

/** At most this long between the passes while a job uses its grace; its own exit is told at once by `lookSoon`. */
const PASS_EVERY_MS_MAX = 250;
const PASS_EVERY_MS_MIN = 20;
/** A pass takes 5 to 10 ms on a machine with 300 processes, and hundreds of short jobs may end in a second. */
const SWEEP_AFTER_MS = 500;
/** A process in an uninterruptible read of a dead disk or GPU does not end. */
const KILL_FOR_MS = 10_000;

type Ending = {
  tree: Tree;
  over: () => boolean;
  killAtMs: number;
  /** In which no KILL was sent, since this agent did not run: it was stopped, or its machine slept. */
  stoodStillMs: number;
  /** Somebody waits for it, or something of it was found. */
  isUrgent: boolean;
  /**
   * Start times of all processes that were found and sent a TERM. One that is exiting loses its environment and cgroup at once,
   * and may then still be busy giving back GPU memory.
   */
  found: Map<number, string>;
  done: PromiseWithResolvers<Leftover[]>;
};

export function createTreeEnder(table: ProcessTable, nowMs: () => number): TreeEnder {
  const endings = new Map<string, Ending>();
  let timer: NodeJS.Timeout | null = null;
  let timerAtMs = 0;
  let notBeforeMs = 0;
  let everyMs = PASS_EVERY_MS_MIN;

  function passIn(delayMs: number): void {
    const atMs = Math.max(nowMs() + delayMs, notBeforeMs);
    if (timer !== null && timerAtMs <= atMs) return;
    if (timer !== null) clearTimeout(timer);
    timerAtMs = atMs;
    timer = setTimeout(pass, Math.max(0, atMs - nowMs()));
  }

  function pass(): void {
    timer = null;
    const beganMs = nowMs();
    for (const ending of endings.values()) ending.stoodStillMs += Math.max(0, beganMs - timerAtMs);
    const rows = table.scan(oldestOf([...endings.values()].map(({ tree }) => tree.since)));
    const index = indexRows(rows);
    for (const [attempt, ending] of endings) {
      const left = step(ending, membersOf(ending.tree, index, ending.found));
      if (left === null) continue;
      endings.delete(attempt);
      if (ending.tree.cgroup !== null) removeCgroup(ending.tree.cgroup);
      ending.done.resolve(left.map(({ pid }) => ({ pid, command: table.commandOf(pid) })));
    }
    const tookMs = nowMs() - beganMs;
    notBeforeMs = nowMs() + Math.max(PASS_EVERY_MS_MIN, tookMs * 9);
    everyMs = Math.min(everyMs * 1.5, PASS_EVERY_MS_MAX);
    if (hasUrgent()) passIn(everyMs);
    else if (endings.size > 0) passIn(SWEEP_AFTER_MS);
  }

  function hasUrgent(): boolean {
    for (const { isUrgent } of endings.values()) if (isUrgent) return true;
    return false;
  }

  /** What is left of a tree that is done with, or null when it is not. */
  function step(ending: Ending, members: ProcessRow[]): ProcessRow[] | null {
    if (members.length === 0 && ending.over()) return members;
    const now = nowMs();
    if (now >= ending.killAtMs + ending.stoodStillMs + KILL_FOR_MS) return members;
    if (members.length > 0) ending.isUrgent = true;
    const isKillTime = now >= ending.killAtMs;
    if (isKillTime && ending.tree.cgroup !== null) killCgroup(ending.tree.cgroup);
    for (const { pid, startTime } of members) {
      if (isKillTime) signal(pid, "SIGKILL");
      else if (ending.found.get(pid) !== startTime) {
        signal(pid, "SIGTERM");
        // A stopped process would not see it before its KILL.
        signal(pid, "SIGCONT");
      }
      ending.found.set(pid, startTime);
    }
    return null;
  }

  return {
    end(tree, { graceMs, over }) {
      const killAtMs = nowMs() + graceMs;
      let ending = endings.get(tree.attempt);
      if (ending) {
        ending.killAtMs = Math.min(ending.killAtMs, killAtMs);
        ending.isUrgent = true;
      } else {
        const done = Promise.withResolvers<Leftover[]>();
        ending = { tree, over, killAtMs, stoodStillMs: 0, isUrgent: true, found: new Map(), done };
        endings.set(tree.attempt, ending);
      }
      everyMs = PASS_EVERY_MS_MIN;
      passIn(0);
      return ending.done.promise;
    },
    sweep(tree, { graceMs }) {
      if (endings.has(tree.attempt)) return;
      const killAtMs = nowMs() + SWEEP_AFTER_MS + graceMs;
      const done = Promise.withResolvers<Leftover[]>();
      endings.set(tree.attempt, {
        tree,
        over: () => true,
        killAtMs,
        stoodStillMs: 0,
        isUrgent: false,
        found: new Map(),
        done,
      });
      passIn(SWEEP_AFTER_MS);
    },
    lookSoon() {
      if (hasUrgent()) passIn(0);
    },
    close() {
      // Sweeps are owed to jobs that are reported already, and may be forgotten: a later agent would not make them.
      if (endings.size > 0) pass();
      if (timer !== null) clearTimeout(timer);
      endings.clear();
    },
  };
}

/** What lives of each tree, supervisors aside. */
export function membersOfTrees(trees: Tree[], table: ProcessTable): ProcessRow[][] {
  const index = indexRows(table.scan(oldestOf(trees.map(({ since }) => since))));
  return trees.map((tree) => membersOf(tree, index));
}

/** Whether anything of the tree lives, supervisor aside. */
export function treeIsAlive(tree: Tree, rows: ProcessRow[]): boolean {
  return membersOf(tree, indexRows(rows)).length > 0;
}

type RowIndex = {
  byPid: Map<number, ProcessRow>;
  byParent: Map<number, ProcessRow[]>;
  byOutput: Map<string, ProcessRow[]>;
  byAttempt: Map<string, ProcessRow[]>;
  byGroup: Map<number, ProcessRow[]>;
};

function indexRows(rows: ProcessRow[]): RowIndex {
  const index: RowIndex = {
    byPid: new Map(),
    byParent: new Map(),
    byOutput: new Map(),
    byAttempt: new Map(),
    byGroup: new Map(),
  };
  for (const row of rows) {
    index.byPid.set(row.pid, row);
    if (row.attempt !== null) pushTo(index.byAttempt, row.attempt, row);
    pushTo(index.byGroup, row.group, row);
    pushTo(index.byParent, row.parent, row);
    for (const output of new Set(row.outputs)) pushTo(index.byOutput, output, row);
  }
  return index;
}

function pushTo<K>(map: Map<K, ProcessRow[]>, key: K, row: ProcessRow): void {
  const rows = map.get(key);
  if (rows) rows.push(row);
  else map.set(key, [row]);
}

/**
 * Without a cgroup this is what tells a process that left the job's group and cleared its environment: it was seen while the
 * job ran, writes to the job's log, or descends from one that did.
 */
function membersOf(tree: Tree, index: RowIndex, found?: ReadonlyMap<number, string>): ProcessRow[] {
  const members = new Map<number, ProcessRow>();
  for (const [pid, startTime] of [...tree.kin, ...(found ?? [])]) {
    const row = index.byPid.get(pid);
    if (row?.startTime === startTime) members.set(pid, row);
  }
  for (const row of index.byAttempt.get(tree.attempt) ?? []) members.set(row.pid, row);
  for (const row of index.byOutput.get(tree.log) ?? []) members.set(row.pid, row);
  for (const row of tree.group === null ? [] : (index.byGroup.get(tree.group) ?? [])) {
    // An empty group's number may have gone to another job of the same launcher.
    const isOther = row.attempt !== null && row.attempt !== tree.attempt;
    if (row.session === tree.session && !isOther) members.set(row.pid, row);
  }
  for (const pid of tree.cgroup === null ? [] : cgroupPids(tree.cgroup)) {
    const row = index.byPid.get(pid);
    if (row) members.set(pid, row);
  }
  if (tree.supervisorPid !== null) members.delete(tree.supervisorPid);
  // A map is walked together with what is added on the way.
  for (const { pid } of members.values()) {
    for (const child of index.byParent.get(pid) ?? []) members.set(child.pid, child);
  }
  return [...members.values()];
}

/** Null is older than all. Start times of /proc are numbers; those of ps are not compared, since its scan takes all. */
function oldestOf(times: (string | null)[]): string | null {
  let oldest: string | null = null;
  for (const time of times) {
    if (time === null) return null;
    if (oldest === null || Number(time) < Number(oldest)) oldest = time;
  }
  return oldest;
}

export function signal(pid: number, name: "SIGTERM" | "SIGCONT" | "SIGKILL"): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended, or it belongs to another user: then it is found again and reported.
  }
}

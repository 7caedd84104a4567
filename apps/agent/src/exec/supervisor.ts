/**
 * How the agent starts, watches, adopts and ends jobs, so that a job is never lost and never started twice whatever dies:
 * the agent, the launcher, a supervisor, the machine.
 *
 * Owns: the agent's home (`attempts/`, `attempts.journal`, the lock), the launcher, and all attempts on this node.
 * States: open, closed. Closing leaves jobs running; the next supervisor on the same home takes them over.
 * Invariants: what is ordered is durable; what is known stays known until it is forgotten; an attempt is forgotten only
 * after it has ended.
 * Refuses: a home that another living agent uses, starts that cannot be recorded, and everything after close.
 */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { NexusError } from "@nexus/shared/errors";
import type { AttemptInventory, JobStart } from "@nexus/shared/protocol/messages";
import { type AttemptsState, applyEvent, type DurableEvent, type StopReason } from "../core/attempts.ts";
import { attemptFiles, readMasks, removeDebris } from "./attempt-files.ts";
import { type AttemptEvent, createAttemptRuns } from "./attempt-runs.ts";
import { createStartChecks } from "./check-start.ts";
import { refusalOfDisk } from "./disk-refusal.ts";
import { createForgetting } from "./forget-attempts.ts";
import { probeHome } from "./home-health.ts";
import { lockHome } from "./home-lock.ts";
import { openJobCgroups } from "./job-cgroups.ts";
import { openJournal } from "./journal.ts";
import { type Launcher, SHELLS, startLauncher, writeLauncherScript } from "./launcher.ts";
import { inventoryOf, inventoryOfStart, liveAttempt, ordersOf } from "./live-attempt.ts";
import type { ProcessTable } from "./process-row.ts";
import { openProcessTable, readBootId } from "./process-table.ts";
import { readJournal } from "./read-journal.ts";
import type { StartStep } from "./record-starts.ts";
import { createStartBatches, type StartAnswer } from "./start-batches.ts";

export type { AttemptEvent, StartAnswer };

export type SupervisorOptions = {
  /** Belongs to this agent alone; on a local disk. */
  home: string;
  /** What every job's environment begins with, see `baseEnvironment`. */
  baseEnv: Record<string, string>;
  /** Of what happens from now on; what was found at the start is in the inventory. */
  onEvents(events: AttemptEvent[]): void;
  /** Something a person should see. */
  onNotice?(notice: { code: string; message: string }): void;
  /** Why no launcher is up for a while now, so that nothing begins; null when one is again. */
  onLauncher?(why: string | null): void;
  /** Nothing can be recorded any more: this agent has to end. Jobs go on, and the next one takes them over. */
  onBroken?(problem: NexusError): void;
  bootId?: string;
  shells?: readonly string[];
  /** `ps` for systems without /proc. */
  processes?: "proc" | "ps";
  cgroups?: "auto" | "off";
  lookEveryMs?: number;
  launcherPatienceMs?: number;
  /** For tests that kill the agent between two steps. */
  onStep?(step: Step): void;
};

export type Step = StartStep | "forgotten";

export type LogGap = { attempt: string; fence: number; offset: number };

export type Supervisor = {
  /** Each job has a cgroup, which no process can leave. */
  containsJobs: boolean;
  /** One sync and one write for the whole batch. A known attempt answers with its state, and is not started again. */
  start(jobs: JobStart[]): Promise<StartAnswer[]>;
  /**
   * Orders attempts that were recorded and not begun when an earlier agent died: the control plane wants them still.
   * Other attempts are left alone.
   */
  resume(attempts: string[]): void;
  /** TERM, the grace, KILL. Returns at once; an `exited` event follows. Unknown and ended attempts are left alone. */
  stop(attempt: string, options: StopOptions): void;
  /**
   * These logs may lack something from there on. Kept until the attempt is forgotten; what the disk refuses is tried again
   * with the next call.
   */
  noteLogGaps(gaps: LogGap[]): void;
  /** All that were noted, also by an earlier agent. */
  logGaps(): LogGap[];
  /** Removes files, logs included. Attempts that have not ended stay. */
  forget(attempts: string[]): Promise<void>;
  /** Everything that this node has been given and has not forgotten, starts under way included. */
  inventory(): AttemptInventory[];
  /** As `inventory`, for one; without a look at its log. */
  has(attempt: string): boolean;
  logPath(attempt: string): string;
  /** Values that its log must not show. @throws when they cannot be read. */
  masks(attempt: string): string[];
  /** The GPUs of attempts that have not ended. */
  holders(): { attempt: string; gpus: string[] }[];
  close(): Promise<void>;
};

/** A launcher that died is up again within a moment; one that is not is a fault of the node. */
const LAUNCHER_PATIENCE_MS = 3_000;
/** A stop waits that long for the disk; then the job is ended all the same. */
const STOP_RECORD_WITHIN_MS = 2_000;

export type StopOptions = { reason: StopReason; graceMs: number };

/** The net under pipes and file events; see attempt-runs.ts. One look takes about 10 µs a running job. */
const LOOK_EVERY_MS = 2000;

/** Takes over what an earlier agent left in this home. */
export async function createSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  // The launcher's working directory is another one.
  const home = resolve(options.home);
  const table = openProcessTable(options.processes);
  const bootId = options.bootId ?? readBootId();
  const attemptsFolder = join(home, "attempts");
  makeHome(attemptsFolder);
  const lock = lockHome(home, bootId, table);
  const parts: Closable[] = [{ close: () => lock.release() }];
  try {
    return await openSupervisor({ ...options, home, table, bootId, attemptsFolder, parts });
  } catch (error) {
    await closeAll(parts);
    throw error;
  }
}

type Closable = { close(): Promise<void> | void };
type Opening = SupervisorOptions & {
  table: ProcessTable;
  bootId: string;
  attemptsFolder: string;
  /** In the order in which they were opened. */
  parts: Closable[];
};

async function openSupervisor(opening: Opening): Promise<Supervisor> {
  const { home, baseEnv, table, bootId, attemptsFolder, parts } = opening;
  const { onStep = ignore, onNotice = ignore, lookEveryMs = LOOK_EVERY_MS } = opening;
  let isOpen = false;
  let isClosed = false;
  const journalPath = join(home, "attempts.journal");
  const state = await readJournal(journalPath);
  const journal = await openJournal(journalPath, structuredClone(state), {
    onBroken: opening.onBroken,
  });
  parts.push(journal);

  const unwrittenGaps: DurableEvent[] = [];
  let orderNow: Launcher["order"] | null = null;
  const runs = createAttemptRuns({
    table,
    bootId,
    scriptPrefix: join(home, "launcher-"),
    lookEveryMs,
    nowMs: () => performance.now(),
    onEvents: (events) => {
      if (isOpen && !isClosed) opening.onEvents(events);
    },
    recordStop,
    orderAgain: (lives) => orderNow?.(ordersOf(lives)),
    faultOfHome: () =>
      probeHome(home) ?? {
        code: "home_failing",
        message: `a job's supervisor could not write its record in ${attemptsFolder}; look at the disk`,
      },
  });
  parts.push(runs);
  // Before the launcher starts, so that its supervisors are not taken for an earlier agent's.
  adopt(state, attemptsFolder, runs);

  let launcherTimer: NodeJS.Timeout | undefined;
  /** What was ordered of the launcher that died goes back to the line when none comes. */
  function isLauncherUp(isUp: boolean, why: string): void {
    if (isUp) {
      clearTimeout(launcherTimer);
      launcherTimer = undefined;
      opening.onLauncher?.(null);
      return;
    }
    launcherTimer ??= setTimeout(() => {
      opening.onLauncher?.(why);
      runs.giveBack({ code: "launcher_down", message: `its launcher of jobs does not start (${why})` });
    }, opening.launcherPatienceMs ?? LAUNCHER_PATIENCE_MS);
  }

  const cgroups = opening.cgroups === "off" ? null : openJobCgroups(home);
  parts.push({ close: () => cgroups?.sweep(state.attempts) });
  cgroups?.sweep(state.attempts);
  const launcher = await startLauncher({
    home,
    attemptsFolder,
    scriptPath: await writeLauncherScript(home),
    bootId,
    identity: table.kind,
    env: baseEnv,
    shells: opening.shells ?? SHELLS,
    onNotices: (notices) => {
      for (const notice of notices) runs.notice(notice);
    },
    onUp(order) {
      isLauncherUp(true, "");
      order(ordersOf(runs.ordered()));
    },
    onDown(message) {
      onNotice({ code: "launcher_down", message });
      isLauncherUp(false, message);
    },
  });
  parts.push(launcher, { close: () => clearTimeout(launcherTimer) });
  orderNow = launcher.order;

  const batches = createStartBatches({
    state,
    journal,
    attemptsFolder,
    bootId,
    baseEnv,
    checks: createStartChecks(() => performance.now()),
    cgroups,
    runs,
    order: (lives) => launcher.order(ordersOf(lives)),
    onStep,
  });

  const forgetting = createForgetting({
    state,
    journal,
    live: runs.live,
    mayYetBeClaimed: runs.mayYetBeClaimed,
    onForgotten: () => onStep("forgotten"),
  });
  parts.push({ close: forgetting.settled });
  const ticker = setInterval(() => {
    launcher.tick();
    forgetting.retry();
  }, lookEveryMs);
  parts.push({ close: () => clearInterval(ticker) });

  /** Durable before it is acted on, or an agent that restarts between would report another reason. */
  async function recordStop(attempt: string, { reason, graceMs }: StopOptions): Promise<void> {
    const event = { type: "stop", attempt, reason, graceMs } as const;
    const given = new AbortController();
    const durable = journal
      .append([event])
      .catch((error: Error) => onNotice({ code: "stop_unrecorded", message: error.message }))
      .finally(() => given.abort());
    const late = pause(STOP_RECORD_WITHIN_MS, undefined, { signal: given.signal, ref: false });
    await Promise.race([durable, late.catch(() => durable)]);
    applyEvent(state, event);
  }

  /** Known at once and durable when the disk has room for a line again: it is full when a gap is met. */
  function noteLogGaps(gaps: LogGap[]): void {
    const events = gaps.map(({ attempt, offset }) => ({ type: "gap", attempt, offset }) as const);
    for (const event of events) applyEvent(state, event);
    const due = [...unwrittenGaps.splice(0), ...events];
    journal.append(due).catch(() => unwrittenGaps.push(...due));
  }

  function stop(attempt: string, options: StopOptions): void {
    const underWay = batches.underWay(attempt);
    if (underWay) {
      void underWay.then(() => stop(attempt, options));
      return;
    }
    const live = runs.live.get(attempt);
    if (!live || live.phase === "ending" || live.phase === "ended") return;
    if (live.known.stop) {
      runs.stop(live, options.graceMs);
      return;
    }
    void recordStop(attempt, options).then(() => {
      if (!isClosed) runs.stop(live, options.graceMs);
    });
  }

  isOpen = true;
  return {
    containsJobs: cgroups !== null,
    async start(jobs) {
      if (isClosed) throw new NexusError("unavailable", { detail: "The agent is shutting down." });
      return batches.start(jobs);
    },
    resume: batches.resume,
    stop,
    forget: forgetting.forget,
    inventory() {
      const known = [...runs.live.values()].map((live) => inventoryOf(live, performance.now()));
      return [...known, ...batches.allUnderWay().map(inventoryOfStart)];
    },
    has: (attempt) => runs.live.has(attempt) || batches.underWay(attempt) !== null,
    holders: () =>
      [...runs.live.values()]
        .filter(({ phase, known }) => phase !== "ended" && known.gpus.length > 0)
        .map(({ known: { attempt, gpus } }) => ({ attempt, gpus })),
    logPath: (attempt) => attemptFiles(attemptsFolder, attempt, attempt).log,
    // Of one that is not known nobody can say that it has no secrets.
    masks: (attempt) =>
      readMasks(attemptFiles(attemptsFolder, attempt, attempt), state.attempts.get(attempt)?.masked ?? true),
    noteLogGaps,
    logGaps: () =>
      [...state.attempts.values()].flatMap(({ attempt, fence, logGapAt }) =>
        logGapAt === null ? [] : { attempt, fence, offset: logGapAt },
      ),
    async close() {
      isClosed = true;
      await batches.settled();
      await closeAll(parts);
    },
  };
}

type Runs = ReturnType<typeof createAttemptRuns>;

/** Files that no attempt owns are of starts that died before they were recorded, or of attempts forgotten. */
function adopt(state: AttemptsState, attemptsFolder: string, runs: Runs): void {
  const all = [...state.attempts.values()];
  removeDebris(attemptsFolder, { attempts: state.attempts, orders: new Set(all.map(({ order }) => order)) });
  const lives = all.map((known) =>
    liveAttempt(known, attemptFiles(attemptsFolder, known.attempt, known.order)),
  );
  for (const live of lives) runs.add(live);
  for (const live of lives) runs.look(live);
}

function makeHome(attemptsFolder: string): void {
  try {
    mkdirSync(attemptsFolder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw refusalOfDisk(error, `The agent's home ${attemptsFolder} cannot be made`);
  }
}

async function closeAll(parts: Closable[]): Promise<void> {
  for (const part of parts.splice(0).reverse()) await part.close();
}

function ignore(): void {
  // For callers that are not interested.
}

/**
 * A machine with nothing but sshd, for as long as one connection to it lasts: plays the part that an agent plays, towards the same
 * port. Jobs run there in the background of `packages/ssh`, under a supervisor that outlives the connection; their ids carry attempt
 * and fence, so a repeated start starts nothing and the next connection finds them. Owns: the connection, what was told of each run.
 * Invariants: a log is read from where it is durable here; an exit is told until it is to be forgotten; what is not ours is left alone.
 * What it cannot do: nothing is reported, and no deadline kept, while the control plane does not reach the machine.
 */
import { constants } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { LOG_CHUNK_BYTES_MAX } from "@nexus/shared/protocol/limits";
import type { AttemptExit, AttemptInventory, JobStart, ServerMessage } from "@nexus/shared/protocol/messages";
import {
  type BackgroundState,
  forgetBackground,
  listBackground,
  readBackgroundLog,
  startBackground,
  stopBackground,
} from "@nexus/ssh/background/background-run";
import type { SshSession } from "@nexus/ssh/session";
import { SshError } from "@nexus/ssh/ssh-error";
import type { AgentPort, Clock, NodeSession } from "../../ports.ts";
import { startHostLoop } from "./host-loop.ts";
import { readRunId, runIdOf } from "./run-id.ts";
import { type RunTimes, readRunTimes } from "./run-times.ts";

export type AgentlessOptions = {
  session: SshSession;
  node: NodeSession;
  port: AgentPort;
  clock: Clock;
  onTrouble(message: string, cause: unknown): void;
};

export type AgentlessNode = {
  send(message: ServerMessage): void;
  /** Serves until the connection is gone. @returns what ended it. */
  serve(): Promise<string>;
};

type Run = {
  attempt: string;
  fence: number;
  times: RunTimes;
  /** Durable here; null while nobody wants the log. */
  logBytes: number | null;
  isStartTold: boolean;
  exitToldAtMs: number | null;
  stopReason: "cancelled" | "timed_out" | null;
  /** Its tree is being ended: until that is done its end is not told. */
  isStopping: boolean;
  leftovers: AttemptExit["leftovers"];
};

const LOOK_BUSY_MS = 300;
const LOOK_IDLE_MS = 5_000;
const RETELL_MS = 30_000;
const SIGNALS = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));
const DEFAULT_GRACE_MS = 10_000;

export function createAgentlessNode({
  session,
  node,
  port,
  clock,
  onTrouble,
}: AgentlessOptions): AgentlessNode {
  const runs = new Map<string, Run>();
  const waking = new Set<() => void>();
  let states = new Map<string, BackgroundState>();
  let orders: Promise<void> = Promise.resolve();

  const wake = () => {
    for (const one of waking) one();
  };

  /** In their order, each after what was ordered before it was done. */
  function order(work: () => Promise<void>): void {
    orders = orders.then(work).catch((cause: unknown) => {
      // A connection that is gone says so itself; what was to be done is asked for again over the next one.
      if (session.isOpen()) onTrouble("an order failed", cause);
    });
    void orders.then(wake);
  }

  function handle(message: ServerMessage): void {
    switch (message.type) {
      case "sync":
        for (const { attempt, fence, want, logBytes } of message.attempts) {
          const run = runs.get(attempt);
          if (want === "forget") order(() => forget(attempt, fence));
          else if (run && want !== "unclaimed") {
            run.logBytes = logBytes;
            if (want === "stop") stopSoon(run, "cancelled", run.times.graceMs ?? DEFAULT_GRACE_MS);
          }
        }
        break;
      case "start":
        for (const job of message.jobs) order(() => start(job));
        break;
      case "stop": {
        const { attempt, fence, reason, graceMs } = message;
        order(async () => {
          const run = runs.get(attempt);
          if (run) stopSoon(run, reason, graceMs);
          else
            await tell(
              exitOf(
                { attempt, fence },
                { reason, message: "It was stopped before it reached this machine." },
              ),
            );
        });
        break;
      }
      case "forget":
        for (const attempt of message.attempts) {
          const run = runs.get(attempt);
          if (run) order(() => forget(attempt, run.fence));
        }
        break;
      case "log_ack": {
        const run = runs.get(message.attempt);
        if (run && run.logBytes !== null) run.logBytes = message.logBytes;
        wake();
        break;
      }
    }
  }

  async function start(job: JobStart): Promise<void> {
    const { attempt, fence, graceMs, timeoutMs } = job;
    if (runs.has(attempt)) return;
    const startedAtMs = clock.nowMs();
    const times = { startedAtMs, graceMs, deadlineMs: timeoutMs === null ? null : startedAtMs + timeoutMs };
    const run = {
      attempt,
      fence,
      times,
      logBytes: 0,
      isStartTold: false,
      exitToldAtMs: null,
      stopReason: null,
      isStopping: false,
      leftovers: [],
    };
    try {
      const env = environmentOf(job, times);
      const cwd = job.cwd ?? undefined;
      const state = await startBackground(session, { id: runIdOf(job), argv: job.command, env, cwd });
      runs.set(attempt, run);
      states.set(runIdOf(job), state);
    } catch (error) {
      if (!(error instanceof SshError) || error.failure === "connection_lost") throw error;
      await tell(exitOf(job, { reason: "start_failed", message: error.message }));
    }
  }

  /** A grace may be long: what is ordered meanwhile does not wait for it. */
  function stopSoon(run: Run, reason: "cancelled" | "timed_out", graceMs: number): void {
    run.stopReason = reason;
    run.isStopping = true;
    stopBackground(session, runIdOf(run), graceMs)
      .then(({ leftPids }) => {
        run.leftovers = leftPids.map((pid) => ({ pid, command: "" }));
      })
      .catch((cause: unknown) => {
        if (session.isOpen()) onTrouble(`${run.attempt} could not be ended`, cause);
      })
      .finally(() => {
        run.isStopping = false;
        wake();
      });
  }

  async function forget(attempt: string, fence: number): Promise<void> {
    await forgetBackground(session, runIdOf({ attempt, fence }));
    runs.delete(attempt);
    states.delete(runIdOf({ attempt, fence }));
  }

  async function tell(exit: AttemptExit): Promise<void> {
    for (const answer of await port.exited(node, { type: "exited", attempts: [exit] })) handle(answer);
  }

  async function look(): Promise<void> {
    if (runs.size > 0) states = await listBackground(session);
    for (const run of runs.values()) {
      const state = states.get(runIdOf(run));
      if (state !== undefined) await report(run, state);
    }
  }

  async function report(run: Run, state: BackgroundState): Promise<void> {
    const nowMs = clock.nowMs();
    const { deadlineMs, graceMs, startedAtMs } = run.times;
    const isOver = state.state === "exited" || state.state === "lost";
    if (!run.isStartTold && (state.state === "running" || state.state === "exited")) {
      run.isStartTold = true;
      const pid = state.state === "running" ? (state.pid ?? state.supervisorPid) : 1;
      const startedAgoMs = Math.max(0, nowMs - (startedAtMs ?? nowMs));
      const { attempt, fence } = run;
      await port.started(node, { type: "started", attempts: [{ attempt, fence, pid, startedAgoMs }] });
    }
    if (state.state === "running" && deadlineMs !== null && nowMs >= deadlineMs && run.stopReason === null) {
      stopSoon(run, "timed_out", graceMs ?? DEFAULT_GRACE_MS);
    }
    if (isOver && !run.isStopping && nowMs - (run.exitToldAtMs ?? Number.NEGATIVE_INFINITY) >= RETELL_MS) {
      run.exitToldAtMs = nowMs;
      await tell(exitOfState(run, state, nowMs));
    }
    if (state.state !== "absent") await sendLog(run, state.logBytes);
  }

  async function sendLog(run: Run, sizeBytes: number): Promise<void> {
    while (run.logBytes !== null && run.logBytes < sizeBytes && runs.get(run.attempt) === run) {
      const offset: number = run.logBytes;
      const bytesMax = Math.min(LOG_CHUNK_BYTES_MAX, sizeBytes - offset);
      const bytes = await readBackgroundLog(session, { id: runIdOf(run), offset, bytesMax });
      if (bytes.length === 0) return;
      const { attempt, fence } = run;
      const answers = await port.log(node, { type: "log", attempt, fence, offset }, bytes);
      const ack = answers.find((answer) => answer.type === "log_ack");
      for (const answer of answers) if (answer.type !== "log_ack") handle(answer);
      if (ack?.type === "log_ack") run.logBytes = ack.logBytes;
      // Nothing of it found room: what is asked for again comes as an order.
      if (run.logBytes === offset) return;
    }
  }

  return {
    send: handle,
    async serve() {
      const loop = await startHostLoop(session);
      await port.connected(node);
      let why = "the connection ended";
      try {
        const attempts = await takeInventory();
        const { facts, gpus } = loop;
        const told = { type: "inventory", generation: 0, facts, gpus, attempts, last: true } as const;
        for (const answer of await port.inventory(node, [told])) handle(answer);
        loop.onRound(({ gpus: samples, host }) =>
          port.telemetry(node, { type: "telemetry", sampledAgoMs: 0, gpus: samples, host }),
        );
        while (session.isOpen()) {
          await look();
          const { promise, resolve } = Promise.withResolvers<void>();
          waking.add(resolve);
          const waitMs = runs.size > 0 ? LOOK_BUSY_MS : LOOK_IDLE_MS;
          await Promise.race([promise, pause(waitMs), session.ended]);
          waking.delete(resolve);
        }
        why = (await session.ended)?.message ?? why;
      } catch (error) {
        why = error instanceof Error ? error.message : String(error);
      } finally {
        loop.close();
        await session.close();
        await port.disconnected(node, why);
      }
      return why;
    },
  };

  async function takeInventory(): Promise<AttemptInventory[]> {
    const nowMs = clock.nowMs();
    states = await listBackground(session);
    const times = await readRunTimes(
      session,
      [...states.keys()].filter((id) => readRunId(id) !== null),
    );
    const inventory: AttemptInventory[] = [];
    for (const [id, state] of states) {
      const named = readRunId(id);
      if (named === null || state.state === "absent") continue;
      const { attempt, fence } = named;
      const run: Run = {
        ...{
          attempt,
          fence,
          logBytes: null,
          isStartTold: true,
          exitToldAtMs: null,
          stopReason: null,
          isStopping: false,
          leftovers: [],
        },
        times: times.get(id) ?? { startedAtMs: null, graceMs: null, deadlineMs: null },
      };
      runs.set(attempt, run);
      const isOver = state.state === "exited" || state.state === "lost";
      const { startedAtMs } = run.times;
      inventory.push({
        ...{ attempt, fence: run.fence, logBytes: state.logBytes },
        state: isOver ? "exited" : state.state === "running" ? "running" : "recorded",
        pid: state.state === "running" ? (state.pid ?? state.supervisorPid) : null,
        startedAgoMs: startedAtMs === null ? null : Math.max(0, nowMs - startedAtMs),
        exit: isOver ? exitOfState(run, state, nowMs) : null,
      });
    }
    return inventory;
  }
}

/** Its own variables come first: a job cannot widen its GPUs or carry another attempt's marker. */
function environmentOf({ job, attempt, env, gpus }: JobStart, times: RunTimes): Record<string, string> {
  const time = (name: string, value: number | null) => (value === null ? {} : { [name]: String(value) });
  return {
    PYTHONUNBUFFERED: "1",
    ...env,
    CUDA_VISIBLE_DEVICES: gpus.join(","),
    NVIDIA_VISIBLE_DEVICES: gpus.length > 0 ? gpus.join(",") : "void",
    NEXUS_JOB_ID: job,
    NEXUS_ATTEMPT_ID: attempt,
    ...time("NEXUS_STARTED_MS", times.startedAtMs),
    ...time("NEXUS_DEADLINE_MS", times.deadlineMs),
    ...time("NEXUS_GRACE_MS", times.graceMs),
  };
}

function exitOfState(run: Run, state: BackgroundState, nowMs: number): AttemptExit {
  const logBytes = state.state === "absent" ? 0 : state.logBytes;
  if (state.state !== "exited") {
    const message = "Its supervisor was killed, or the machine restarted: how it ended is not known.";
    return exitOf(run, { reason: "vanished", message, logBytes });
  }
  const { code, signalNumber } = state.exit;
  return exitOf(run, {
    exitCode: code,
    signal: signalNumber === null ? null : (SIGNALS.get(signalNumber) ?? `SIG${signalNumber}`),
    reason: run.stopReason ?? "exited",
    leftovers: run.leftovers,
    logBytes,
    ranMs: run.times.startedAtMs === null ? null : Math.max(0, nowMs - run.times.startedAtMs),
  });
}

function exitOf(
  { attempt, fence }: { attempt: string; fence: number },
  known: Pick<AttemptExit, "reason"> & Partial<AttemptExit>,
): AttemptExit {
  return {
    ...{ attempt, fence, exitCode: null, signal: null, message: null, logBytes: 0, ranMs: null },
    ...{ endedAgoMs: 0, leftovers: [] },
    ...known,
  };
}

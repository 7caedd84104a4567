/**
 * A machine with nothing but sshd, for as long as it is reached without a break: plays the part that an agent plays, towards the same
 * port. Jobs run there in the background of `packages/ssh`, under a supervisor that outlives the connection; their ids carry attempt
 * and fence, so a repeated start starts nothing and whoever comes next finds them. Owns: its share of the connections, what was told of
 * each run. A channel is held for as long as something is said, never for a job's grace: a server may allow two.
 * Invariants: a log is read from where it is durable here; an exit is told until it is to be forgotten; what is not ours is left alone.
 * What it cannot do: nothing is reported, and no deadline kept, while the control plane does not reach the machine.
 */
import { constants } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { assert } from "@nexus/shared/assert";
import { LOG_CHUNK_BYTES_MAX } from "@nexus/shared/protocol/limits";
import type { AttemptExit, AttemptInventory, JobStart, ServerMessage } from "@nexus/shared/protocol/messages";
import {
  askBackgroundToStop,
  type BackgroundState,
  forgetBackground,
  listBackground,
  readBackgroundLog,
  startBackground,
  stopBackground,
} from "@nexus/ssh/background/background-run";
import type { Runner } from "@nexus/ssh/session";
import { SshError } from "@nexus/ssh/ssh-error";
import type { AgentPort, Clock, NodeSession } from "../../ports.ts";
import { type HostLoop, startHostLoop } from "./host-loop.ts";
import { readRunId, runIdOf } from "./run-id.ts";
import { type RunTimes, readRunTimes } from "./run-times.ts";

export type AgentlessOptions = {
  runner: Runner & { close(): void };
  node: NodeSession;
  port: AgentPort;
  clock: Clock;
  onTrouble(message: string, cause: unknown): void;
};

export type AgentlessNode = {
  /** Once, and first. @throws SshError when the machine is not reached. */
  connect(): Promise<void>;
  send(message: ServerMessage): void;
  /** Serves until the machine is not reached any more. @returns what ended it. */
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
  /** Set once it is to be ended; until its tree is gone its end is not told. */
  stop: Stop | null;
};

type Stop = {
  reason: StopReason;
  graceMs: number;
  state: "under way" | "failed" | "done";
  failedAtMs: number;
  /** Resolves when the program itself is seen to be over, with the grace of what it left still to come. */
  over: PromiseWithResolvers<void>;
  leftovers: AttemptExit["leftovers"];
};
type StopReason = "cancelled" | "timed_out";

const LOOK_BUSY_MS = 300;
const LOOK_IDLE_MS = 5_000;
const RETELL_MS = 30_000;
const SIGNALS = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));
const DEFAULT_GRACE_MS = 10_000;
const STOP_AGAIN_MS = 5_000;

export function createAgentlessNode({
  runner,
  node,
  port,
  clock,
  onTrouble,
}: AgentlessOptions): AgentlessNode {
  const runs = new Map<string, Run>();
  const waking = new Set<() => void>();
  let states = new Map<string, BackgroundState>();
  let orders: Promise<void> = Promise.resolve();
  let loop: HostLoop | null = null;
  const over = Promise.withResolvers<string>();
  let isOver = false;
  void over.promise.then(() => {
    isOver = true;
    wake();
  });

  const wake = () => {
    for (const one of waking) one();
  };

  /** In their order, each after what was ordered before it was done. */
  function order(work: () => Promise<void>): void {
    orders = orders.then(work).catch((cause: unknown) => trouble("an order failed", cause));
    void orders.then(wake);
  }

  /** After a cut all is looked at anew: what was to be done is asked for again then. */
  function trouble(message: string, cause: unknown): void {
    if (isOver || !runner.isOpen()) return;
    if (cause instanceof SshError && cause.failure === "connection_lost") over.resolve(cause.message);
    else onTrouble(message, cause);
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
      stop: null,
    };
    try {
      const env = environmentOf(job, times);
      const cwd = job.cwd ?? undefined;
      const state = await startBackground(runner, { id: runIdOf(job), argv: job.command, env, cwd });
      runs.set(attempt, run);
      states.set(runIdOf(job), state);
    } catch (error) {
      if (!(error instanceof SshError) || error.failure === "connection_lost" || !runner.isOpen())
        throw error;
      const { failure, message } = error;
      const nodeFault =
        failure === "config_invalid" ? {} : { nodeFault: { code: `ssh_${failure}`, message } };
      await tell(exitOf(job, { reason: "start_failed", message, ...nodeFault }));
    }
  }

  /** A grace may be long: what is ordered meanwhile does not wait for it. Once asked to end it is asked no more. */
  function stopSoon(run: Run, reason: StopReason, graceMs: number): void {
    if (run.stop !== null && run.stop.state !== "failed") return;
    const stop: Stop = {
      ...{ reason, graceMs, state: "under way", failedAtMs: 0, leftovers: [] },
      over: Promise.withResolvers<void>(),
    };
    run.stop = stop;
    endTree(run, stop)
      .catch((cause: unknown) => {
        stop.state = "failed";
        stop.failedAtMs = clock.nowMs();
        trouble(`${run.attempt} could not be ended`, cause);
      })
      .finally(wake);
  }

  async function endTree(run: Run, stop: Stop): Promise<void> {
    const id = runIdOf(run);
    const untilMs = performance.now() + stop.graceMs;
    await askBackgroundToStop(runner, id, stop.reason);
    const waiting = new AbortController();
    const grace = pause(stop.graceMs, undefined, { signal: waiting.signal }).catch(() => undefined);
    await Promise.race([stop.over.promise, grace, over.promise]);
    waiting.abort();
    if (isOver) return;
    const { leftPids } = await stopBackground(runner, id, Math.max(0, untilMs - performance.now()));
    stop.leftovers = leftPids.map((pid) => ({ pid, command: "" }));
    stop.state = "done";
  }

  async function forget(attempt: string, fence: number): Promise<void> {
    await forgetBackground(runner, runIdOf({ attempt, fence }));
    runs.delete(attempt);
    states.delete(runIdOf({ attempt, fence }));
  }

  async function tell(exit: AttemptExit): Promise<void> {
    for (const answer of await port.exited(node, { type: "exited", attempts: [exit] })) handle(answer);
  }

  async function look(): Promise<void> {
    if (runs.size > 0) states = await listBackground(runner);
    for (const run of runs.values()) {
      const state = states.get(runIdOf(run));
      if (state !== undefined) await report(run, state);
    }
  }

  async function report(run: Run, state: BackgroundState): Promise<void> {
    const nowMs = clock.nowMs();
    const { deadlineMs, graceMs, startedAtMs } = run.times;
    const hasEnded = state.state === "exited" || state.state === "lost";
    if (!run.isStartTold && (state.state === "running" || state.state === "exited")) {
      run.isStartTold = true;
      const pid = state.state === "running" ? (state.pid ?? state.supervisorPid) : 1;
      const startedAgoMs = Math.max(0, nowMs - (startedAtMs ?? nowMs));
      const { attempt, fence } = run;
      await port.started(node, { type: "started", attempts: [{ attempt, fence, pid, startedAgoMs }] });
    }
    if (state.state === "running" && deadlineMs !== null && nowMs >= deadlineMs && run.stop === null) {
      stopSoon(run, "timed_out", graceMs ?? DEFAULT_GRACE_MS);
    }
    if (hasEnded) run.stop?.over.resolve();
    if (run.stop?.state === "failed" && nowMs - run.stop.failedAtMs >= STOP_AGAIN_MS) {
      stopSoon(run, run.stop.reason, run.stop.graceMs);
    }
    const isTreeGone = run.stop === null || run.stop.state === "done";
    if (hasEnded && isTreeGone && nowMs - (run.exitToldAtMs ?? Number.NEGATIVE_INFINITY) >= RETELL_MS) {
      run.exitToldAtMs = nowMs;
      await tell(exitOfState(run, state, nowMs));
    }
    if (state.state !== "absent") await sendLog(run, state.logBytes);
  }

  async function sendLog(run: Run, sizeBytes: number): Promise<void> {
    while (run.logBytes !== null && run.logBytes < sizeBytes && runs.get(run.attempt) === run) {
      const offset: number = run.logBytes;
      const bytesMax = Math.min(LOG_CHUNK_BYTES_MAX, sizeBytes - offset);
      const bytes = await readBackgroundLog(runner, { id: runIdOf(run), offset, bytesMax });
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
    async connect() {
      loop = await startHostLoop(runner);
      void loop.ended.then(over.resolve);
    },
    send: handle,
    async serve() {
      assert(loop !== null, "it is connected first");
      const { facts, gpus, onRound, close } = loop;
      await port.connected(node);
      let why = "the connection ended";
      try {
        const attempts = await takeInventory();
        const told = { type: "inventory", generation: 0, facts, gpus, attempts, last: true } as const;
        for (const answer of await port.inventory(node, [told])) handle(answer);
        onRound(({ gpus: samples, host }) =>
          port.telemetry(node, { type: "telemetry", sampledAgoMs: 0, gpus: samples, host }),
        );
        while (!isOver && runner.isOpen()) {
          await look();
          const { promise, resolve } = Promise.withResolvers<void>();
          waking.add(resolve);
          const waitMs = runs.size > 0 ? LOOK_BUSY_MS : LOOK_IDLE_MS;
          await Promise.race([promise, pause(waitMs)]);
          waking.delete(resolve);
        }
        if (isOver) why = await over.promise;
      } catch (error) {
        why = error instanceof Error ? error.message : String(error);
      } finally {
        over.resolve(why);
        close();
        runner.close();
        await port.disconnected(node, why);
      }
      return why;
    },
  };

  async function takeInventory(): Promise<AttemptInventory[]> {
    const nowMs = clock.nowMs();
    states = await listBackground(runner);
    const times = await readRunTimes(
      runner,
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
          stop: null,
        },
        times: times.get(id) ?? { startedAtMs: null, graceMs: null, deadlineMs: null },
      };
      runs.set(attempt, run);
      const hasEnded = state.state === "exited" || state.state === "lost";
      const { startedAtMs } = run.times;
      inventory.push({
        ...{ attempt, fence: run.fence, logBytes: state.logBytes },
        state: hasEnded ? "exited" : state.state === "running" ? "running" : "recorded",
        pid: state.state === "running" ? (state.pid ?? state.supervisorPid) : null,
        startedAgoMs: startedAtMs === null ? null : Math.max(0, nowMs - startedAtMs),
        exit: hasEnded ? exitOfState(run, state, nowMs) : null,
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
    reason: run.stop?.reason ?? stopReasonOf(state.stopReason) ?? "exited",
    leftovers: run.stop?.leftovers ?? [],
    logBytes,
    ranMs: run.times.startedAtMs === null ? null : Math.max(0, nowMs - run.times.startedAtMs),
  });
}

/** As it was noted on the machine, by whoever served it then. */
function stopReasonOf(text: string | null): StopReason | null {
  return text === "cancelled" || text === "timed_out" ? text : null;
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

/**
 * The running agent: joins the link with the jobs, their logs and the GPUs.
 *
 * Owns: nothing on the disk by itself; supervisor and identity store do. Invariants: what the control plane orders is passed on
 * in its order; an exit is told again until the control plane says `forget`; an attempt that the control plane does not claim
 * is left alone. Closing it leaves jobs running.
 */
import { NexusError } from "@nexus/shared/errors";
import { lowDiskText } from "@nexus/shared/low-disk";
import type {
  AttemptExit,
  AttemptInventory,
  JobStart,
  MessageOf,
  NodeFault,
  ServerMessage,
} from "@nexus/shared/protocol/messages";
import { tunnelsAllowed } from "./core/node-policy.ts";
import type { LiveMessage, Problem } from "./core/session.ts";
import { type AttemptEvent, createSupervisor, type LogGap, type StartAnswer } from "./exec/supervisor.ts";
import type { GpuDriver } from "./gpu/driver.ts";
import { readHostFacts } from "./host/facts.ts";
import { createHostSampler } from "./host/sample.ts";
import type { DataFrame } from "./link/frame-socket.ts";
import type { Identity } from "./link/identity-store.ts";
import { createLogShipper, type LogFile } from "./link/log-shipper.ts";
import { createServerLink, type LinkState } from "./link/server-link.ts";
import { takeTurns } from "./link/take-turns.ts";
import { createNeverRan } from "./never-ran.ts";
import { createNodeFaults } from "./node-faults.ts";
import { createNotices } from "./notices.ts";
import { createTelemetry } from "./telemetry.ts";
import { createNodeTunnels } from "./tunnel/node-tunnels.ts";
import { readPolicies } from "./tunnel/read-policies.ts";

export type AgentOptions = {
  home: string;
  identity: Identity;
  generation: number;
  agentVersion: string;
  bootId: string;
  /** The environment that every job begins with. */
  baseEnv: Record<string, string>;
  driver: GpuDriver;
  onState(state: LinkState): void;
  /** Something that the person at the terminal should see too. */
  onTrouble(message: string): void;
  /** Attempts changed. */
  onAttempts(): void;
  nowMs(): number;
  random(): number;
};

export type Agent = {
  start(): void;
  /** Attempts that this node holds, by state. */
  attempts(): { attempt: string; state: string }[];
  /** Why it has to end: the control plane's signed word, or a journal that takes nothing more; null after `close()`. */
  readonly finished: Promise<Problem | null>;
  close(): Promise<void>;
};

type Declined = { attempt: string; fence: number; nodeFault: NodeFault };

/** An exit that was told and not forgotten is told again; the control plane may have had trouble of its own. */
const RETELL_EVERY_MS = 30_000;
const GRACE_MS = 10_000;

export async function createAgent(options: AgentOptions): Promise<Agent> {
  const { home, driver, nowMs } = options;
  const neverRan = createNeverRan(nowMs);
  /** Started in this connection: the control plane has none of their log yet. */
  const fresh = new Set<string>();
  const gpusOf = new Map<string, string[]>();
  const pids = new Map<string, number>();
  const notices = createNotices((notice) => link.send(notice));
  const broken = Promise.withResolvers<Problem>();
  const faults = createNodeFaults({
    home,
    hasJobs: () => pids.size > 0,
    onChange(present) {
      link.send({ type: "faults", faults: present });
      for (const { message } of present) options.onTrouble(`nothing is started here: ${message}`);
      if (present.length === 0) options.onTrouble("jobs are started here again");
    },
    onDiskFull(isFull) {
      noteGaps(isFull ? supervisor.inventory().filter(({ state }) => state === "running") : []);
    },
  });

  const logs = createLogShipper({
    onData: () => link.wake(),
    onTrouble: (attempt, error) =>
      trouble("log_unreadable", `The log of ${attempt} cannot be read: ${error}`),
    nowMs,
  });
  const tunnels = createNodeTunnels({
    node: options.identity.name,
    readPolicies: () => readPolicies(home),
    send: (message) => link.send(message),
    wake: () => link.wake(),
  });
  const link = createServerLink({
    home,
    identity: options.identity,
    generation: options.generation,
    agentVersion: options.agentVersion,
    bootId: options.bootId,
    nowMs,
    random: options.random,
    pullData: takeTurns<DataFrame>([() => logs.pull(), () => tunnels.pull()]),
    onMessage,
    onState(state) {
      if (state.name === "connected") {
        notices.flush();
        // What is told twice does no harm.
        tellGaps(supervisor.logGaps());
      } else {
        logs.detachAll();
        tunnels.breakAll(
          new NexusError("unavailable", { detail: "The link to the control plane was lost." }),
        );
        fresh.clear();
      }
      options.onState(state);
    },
    async takeInventory() {
      const { facts, gpus } = await telemetry.facts();
      return {
        facts,
        gpus,
        attempts: [...supervisor.inventory(), ...neverRan.inventory()],
        faults: faults.list(),
      };
    },
  });
  // After all that its events go to: it may have some of what an earlier agent left.
  const supervisor = await createSupervisor({
    home,
    baseEnv: options.baseEnv,
    bootId: options.bootId,
    onEvents: onAttemptEvents,
    onNotice: ({ code, message }) => trouble(code, message),
    onLauncher: (why) => faults.setLauncher(why),
    onBroken: ({ code, message }) =>
      broken.resolve({
        code,
        message: `${message} This agent ends, since it could record no job any more; running jobs go on, and the next start of the agent takes them over. Look at the disk and the system's log.`,
      }),
  }).catch((error: unknown) => {
    faults.close();
    throw error;
  });
  // It measures from here on, and what it tells is asked of the supervisor; a slow disk may take its time to open that.
  const telemetry = createTelemetry({
    driver,
    sampler: createHostSampler({ diskPath: home }),
    readFacts: async () =>
      readHostFacts({
        agentVersion: options.agentVersion,
        home,
        containsJobs: supervisor.containsJobs,
        tunnels: tunnelsAllowed(await readPolicies(home)),
        gpu: {
          gpuDriver: driver.kind,
          gpuDriverVersion: driver.driverVersion(),
          gpuProblem: driver.problem(),
        },
      }),
    send: (message) => link.send(message),
    onDiskLow(room) {
      notices.add("warning", "disk_low", lowDiskText(room));
      options.onTrouble(`${lowDiskText(room)} (${home})`);
    },
  });
  const retelling = setInterval(retell, RETELL_EVERY_MS);
  for (const { attempt, exit, pid } of supervisor.inventory()) {
    if (exit !== null) logs.end(attempt, exit.logBytes);
    else if (pid !== null) pids.set(attempt, pid);
  }
  for (const { attempt, gpus } of supervisor.holders()) gpusOf.set(attempt, gpus);
  tellHolders();
  faults.start();
  for (const file of await readPolicies(home))
    if ("problem" in file)
      trouble(
        "policy_unreadable",
        `${file.path} cannot be followed, so tunnels are refused: ${file.problem}.`,
      );

  function onMessage(message: LiveMessage, payload: Uint8Array): void {
    switch (message.type) {
      case "sync":
        for (const one of message.attempts) sync(one);
        break;
      case "start":
        run(start(message.jobs));
        break;
      case "stop":
        stop(message);
        break;
      case "forget":
        run(forget(message.attempts));
        break;
      case "log_ack":
        logs.ack(message.attempt, message);
        break;
      case "tunnel_open":
      case "tunnel_data":
      case "tunnel_credit":
      case "tunnel_end":
      case "tunnel_reset":
        tunnels.take(message, payload);
        break;
    }
  }

  function sync({
    attempt,
    fence,
    want,
    logBytes,
  }: MessageOf<ServerMessage, "sync">["attempts"][number]): void {
    if (want === "forget") {
      run(forget([attempt]));
      return;
    }
    if (want === "unclaimed" || !supervisor.has(attempt)) return;
    logs.attach(logFile(attempt, fence), logBytes);
    if (want === "adopt") supervisor.resume([attempt]);
    else supervisor.stop(attempt, { reason: "cancelled", graceMs: GRACE_MS });
  }

  async function start(jobs: JobStart[]): Promise<void> {
    const ended = jobs.flatMap(({ attempt }) => neverRan.get(attempt) ?? []);
    if (ended.length > 0) link.send({ type: "exited", attempts: ended });
    const launcherFault = faults.list().find(({ code }) => code === "launcher_down");
    const asked = jobs.filter(({ attempt }) => neverRan.get(attempt) === null);
    const wanted = asked.filter(({ attempt }) => !launcherFault || supervisor.has(attempt));
    if (launcherFault) {
      const refused = asked.filter((job) => !wanted.includes(job));
      decline(refused.map(({ attempt, fence }) => ({ attempt, fence, nodeFault: launcherFault })));
    }
    for (const { attempt, gpus } of wanted) {
      if (!supervisor.has(attempt)) fresh.add(attempt);
      if (gpus.length > 0) gpusOf.set(attempt, gpus);
    }
    const answers = await supervisor.start(wanted);
    for (const { attempt, fence, state } of answers) {
      if (state === "refused") fresh.delete(attempt);
      else if (state !== "recorded" && !fresh.has(attempt)) attachLog(attempt, fence);
    }
    tellRefused(answers);
    tellKnown(answers);
  }

  function tellRefused(answers: StartAnswer[]): void {
    const exits: AttemptExit[] = [];
    const declined: Declined[] = [];
    for (const answer of answers) {
      if (answer.state !== "refused") continue;
      const { attempt, fence, refusal } = answer;
      const { fault, message } = refusal;
      gpusOf.delete(attempt);
      if (fault === null) exits.push(neverRan.add({ attempt, fence, reason: "start_failed", message }));
      else declined.push({ attempt, fence, nodeFault: faults.meet(fault, message) });
    }
    if (exits.length > 0) link.send({ type: "exited", attempts: exits });
    decline(declined);
  }

  /** It is not these jobs' fault: they go back to the line. */
  function decline(attempts: Declined[]): void {
    if (attempts.length === 0) return;
    const exits = attempts.map((one) =>
      neverRan.add({ ...one, reason: "start_failed", message: `Not started: ${one.nodeFault.message}.` }),
    );
    link.send({ type: "exited", attempts: exits });
  }

  /** A repeated start is answered with what became of it. */
  function tellKnown(answers: StartAnswer[]): void {
    const asked = new Set(answers.filter(({ state }) => state !== "recorded").map(({ attempt }) => attempt));
    if (asked.size === 0) return;
    const known = supervisor.inventory().filter(({ attempt }) => asked.has(attempt));
    const started = known.flatMap(({ state, attempt, fence, pid, startedAgoMs }) =>
      state === "running" && pid !== null ? { attempt, fence, pid, startedAgoMs: startedAgoMs ?? 0 } : [],
    );
    const exits = known.flatMap(({ exit }) => exit ?? []);
    if (started.length > 0) link.send({ type: "started", attempts: started });
    if (exits.length > 0) link.send({ type: "exited", attempts: exits });
  }

  function stop({ attempt, fence, reason, graceMs }: MessageOf<ServerMessage, "stop">): void {
    if (supervisor.has(attempt)) {
      supervisor.stop(attempt, { reason, graceMs });
      return;
    }
    const message = "It was stopped before it reached this node.";
    const exit = neverRan.get(attempt) ?? neverRan.add({ attempt, fence, reason, message });
    link.send({ type: "exited", attempts: [exit] });
  }

  async function forget(attempts: string[]): Promise<void> {
    for (const attempt of attempts) {
      neverRan.forget(attempt);
      logs.forget(attempt);
      fresh.delete(attempt);
    }
    await supervisor.forget(attempts);
    options.onAttempts();
  }

  function onAttemptEvents(events: AttemptEvent[]): void {
    const started = events.flatMap((event) => (event.type === "started" ? event : []));
    const exits = events.flatMap((event) => (event.type === "exited" ? event : []));
    const ended = new Set(exits.map(({ attempt }) => attempt));
    for (const { attempt, fence, pid } of started) {
      pids.set(attempt, pid);
      if (!ended.has(attempt) && fresh.delete(attempt)) attachLog(attempt, fence);
    }
    // Told before the exit, so that nothing is placed here in between.
    for (const { nodeFault } of exits) if (nodeFault) meet(nodeFault);
    if (started.length > 0 && faults.list().some(({ code }) => code === "disk_full")) {
      noteGaps(started.map(({ attempt, fence }) => ({ attempt, fence, logBytes: 0 })));
    }
    const usedGpus = exits.filter(({ attempt }) => gpusOf.has(attempt)).length > 0;
    for (const exit of exits) endAttempt(exit);
    if (started.length > 0) {
      link.send({ type: "started", attempts: started.map(({ type: _type, ...rest }) => rest) });
    }
    if (exits.length > 0) {
      link.send({ type: "exited", attempts: exits.map(({ type: _type, ...rest }) => rest) });
    }
    tellHolders();
    // What the job leaves in its GPUs' memory should be known before the next one is placed.
    if (usedGpus) void driver.refresh();
    options.onAttempts();
  }

  /** The job gets the error and may ignore it; that bytes of its log are lost would be nobody's news. */
  function noteGaps(running: Pick<AttemptInventory, "attempt" | "fence" | "logBytes">[]): void {
    const known = new Set(supervisor.logGaps().map(({ attempt }) => attempt));
    const found = running
      .filter(({ attempt }) => !known.has(attempt))
      .map(({ attempt, fence, logBytes }): LogGap => ({ attempt, fence, offset: logBytes }));
    supervisor.noteLogGaps(found);
    tellGaps(found);
  }

  function tellGaps(attempts: LogGap[]): void {
    if (attempts.length > 0) link.send({ type: "log_gap", attempts });
  }

  function meet({ code, message }: NodeFault): void {
    if (code === "disk_full" || code === "home_unwritable" || code === "home_failing")
      faults.meet(code, message);
  }

  /** A job that wrote nothing has no log to send; most short ones are such. */
  function endAttempt({ attempt, fence, logBytes }: AttemptExit): void {
    gpusOf.delete(attempt);
    pids.delete(attempt);
    logs.end(attempt, logBytes);
    if (fresh.delete(attempt) && logBytes > 0) attachLog(attempt, fence);
  }

  function attachLog(attempt: string, fence: number): void {
    logs.attach(logFile(attempt, fence), 0);
  }

  function logFile(attempt: string, fence: number): LogFile {
    return { attempt, fence, path: supervisor.logPath(attempt), masks: () => supervisor.masks(attempt) };
  }

  function retell(): void {
    if (!link.isLive()) return;
    const exits = supervisor.inventory().flatMap(({ exit }) => exit ?? []);
    const late = [...exits, ...neverRan.exits()].filter(({ endedAgoMs }) => endedAgoMs >= RETELL_EVERY_MS);
    if (late.length > 0) link.send({ type: "exited", attempts: late });
  }

  /** Orders that fail as a whole are told; each attempt's own failure is in its answer. */
  function run(work: Promise<void>): void {
    work.catch((error: unknown) => {
      const refusal = error instanceof NexusError ? error : null;
      trouble(refusal?.code ?? "internal", refusal?.message ?? String(error));
    });
  }

  function trouble(code: string, message: string): void {
    notices.add("error", code, message);
    options.onTrouble(message);
  }

  /** Simulated GPUs learn from us who uses them; real ones know. */
  function tellHolders(): void {
    if (driver.kind !== "simulated") return;
    driver.setHolders(
      [...gpusOf].flatMap(([attempt, uuids]) =>
        uuids.map((uuid) => ({ uuid, attempt, pid: pids.get(attempt) ?? null, memoryMib: null })),
      ),
    );
  }

  return {
    finished: Promise.race([link.finished, broken.promise]),
    start: () => link.start(),
    attempts: () => supervisor.inventory().map(({ attempt, state }) => ({ attempt, state })),
    async close() {
      clearInterval(retelling);
      faults.close();
      await link.stop();
      telemetry.close();
      await logs.close();
      await supervisor.close();
      await driver.close();
    },
  };
}

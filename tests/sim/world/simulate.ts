/**
 * One universe from one seed: a control plane, some nodes, people who submit and cancel, and everything that can break. First
 * it breaks, for so many steps; then all is mended, and everything must come to its end within bounded time.
 */
import type { JobSpecInput } from "@nexus/shared/api/schemas";
import type { LogStore } from "../../../apps/web/src/server/services/ports.ts";
import { newTables, type Tables } from "../database/tables.ts";
import { publicKeyOf } from "../stand-ins/ed25519.ts";
import { checkEnd, isGivenUp, isSettled, unsettled } from "./check-end.ts";
import { createTableChecks } from "./check-tables.ts";
import { ALICE, startControlPlane } from "./control-plane.ts";
import { createDatabase } from "./database.ts";
import { createFaults } from "./faults.ts";
import { ground, newGround } from "./ground.ts";
import { createKernel, kernel } from "./kernel.ts";
import { addMachine, boot, newMachines } from "./machine.ts";
import { newNetwork } from "./network.ts";
import { install, type NodeIdentity, startAgent } from "./node.ts";
import type { Universe } from "./universe.ts";

export type SimulateOptions = {
  seed: number;
  /** Events until everything is mended. */
  steps: number;
  agents: number;
  onLine: ((line: string) => void) | null;
};

export type Outcome = {
  seed: number;
  violations: string[];
  traceHash: string;
  events: number;
  virtualMs: number;
  jobs: number;
  runs: number;
  /** Attempts that were given up on silent nodes, and those of them that were taken up again. */
  givenUp: number;
  takenUp: number;
  faults: Record<string, number>;
};

const GPU_MIB = 80_000;
/** Whatever is wrong then, it must be right this much later. */
const SETTLE_MS = 600_000;
const CHAOS_MS_MAX = 150_000;

export async function simulate(options: SimulateOptions): Promise<Outcome> {
  const { seed, steps, agents } = options;
  const engine = createKernel(seed, options.onLine);
  const { random, after, note } = engine;
  const listener = (error: unknown) => engine.onUnhandled(error);
  globalThis.process.on("unhandledRejection", listener);
  // A tenth of the time would go into stacks that nobody reads.
  Error.stackTraceLimit = options.onLine === null ? 0 : 10;
  try {
    newMachines();
    newNetwork(random.pick([0.5, 2, 20, 80]));
    newGround(GPU_MIB);
    const tables = newTables();
    const database = createDatabase(tables);
    const universe: Universe = {
      tables,
      database,
      server: addMachine("server"),
      nodes: [],
      watchNode: () => undefined,
      controlPlane: null,
      serverProgram: null,
      isMended: false,
    };
    universe.server.disk.makeFolder("/nexus", true);
    universe.server.disk.settle();
    furnish(universe, agents);
    const checks = createTableChecks(tables);
    let isTouched = false;
    database.onCommit = (name) => {
      if (!/^(list|find|live)/.test(name)) isTouched = true;
    };
    watchRuns(tables);
    const people = createPeople(universe);
    const faults = createFaults(universe);
    keepRunning(universe);
    people.begin();
    faults.begin();
    const afterEach = () => {
      if (!isTouched) return;
      isTouched = false;
      for (const { rule, what } of checks.check()) engine.violate(rule, what);
    };
    await engine.run({ isDone: () => engine.events >= steps, untilMs: CHAOS_MS_MAX, afterEach });
    note("all is mended");
    universe.isMended = true;
    faults.mend();
    const mendedAtMs = engine.nowMs;
    const machines = universe.nodes.map(({ machine }) => machine);
    const isDone = () => people.isDone() && isSettled(tables, machines);
    await engine.run({ isDone, untilMs: mendedAtMs + SETTLE_MS, afterEach });
    if (engine.violations.length === 0 && !isDone())
      engine.violate("everything comes to its end", unsettled(tables, machines));
    let isChecked = false;
    if (engine.violations.length === 0 && universe.controlPlane !== null) {
      const { logs, program } = universe.controlPlane;
      after(0, program, () => {
        void checkEnd({ ...people, tables, logs, machines }).finally(() => {
          isChecked = true;
        });
      });
      await engine.run({ isDone: () => isChecked, untilMs: engine.nowMs + 60_000, afterEach });
    }
    for (const program of [...machines, universe.server].flatMap(({ programs }) => [...programs]))
      engine.kill(program);
    return {
      seed,
      violations: engine.violations,
      traceHash: engine.traceHash(),
      events: engine.events,
      virtualMs: engine.nowMs,
      jobs: tables.jobs.size,
      runs: ground().runs.size,
      givenUp: tables.events.filter(({ type }) => type === "requeue").length,
      takenUp: tables.events.filter(({ type, message }) => type === "return" && message.includes("try"))
        .length,
      faults: faults.counts,
    };
  } finally {
    globalThis.process.off("unhandledRejection", listener);
  }
}

function furnish({ tables, nodes }: Universe, agents: number): void {
  const { random } = kernel();
  tables.users.set(ALICE.userId, ALICE.userName);
  const limits = { runningMax: null, gpusMax: null, userRunningMax: null, userGpusMax: null };
  const selector = { labels: {}, targets: [] };
  const queue = { teamId: ALICE.teamId, priority: 0, paused: false, ...limits, selector };
  tables.queues.set(1, { ...queue, id: 1, name: "default" });
  tables.queues.set(2, { ...queue, id: 2, name: "narrow", runningMax: 2 });
  for (let at = 1; at <= agents; at++) {
    const name = `n${at}`;
    const identity = {
      nodeId: `t_000000000${at}`,
      name,
      seed: `seed-${name}`,
      gpus: random.pick([0, 1, 2, 4]),
      gpuMemoryMib: GPU_MIB,
    };
    tables.targets.set(at, {
      id: at,
      publicId: identity.nodeId,
      teamId: ALICE.teamId,
      name,
      state: "connecting",
      stateSinceMs: 0,
      cordoned: false,
      draining: false,
      labels: {},
      facts: null,
      createdAtMs: 0,
      revokedAtMs: null,
      lastSeenAtMs: null,
      publicKey: publicKeyOf(identity.seed),
      generation: 0,
      generationOffered: 0,
    });
    const machine = addMachine(name);
    machine.rate = random.pick([1, 1, 1, 0.99, 1.01]);
    machine.wallSkewMs = random.pick([0, 0, -3_600_000, 7_200_000]);
    machine.disk.tearsTails = random.chance(0.5);
    install(machine);
    nodes.push({ machine, identity, program: null, isFinal: false });
  }
}

/** A run must be of an attempt that the control plane has open, and the latest of its job. */
function watchRuns(tables: Tables): void {
  ground().mayOverlap = ({ attempt, machine }) => machine.wasCopied || isGivenUp(tables, attempt);
  ground().onRun = ({ attempt: id, job, machine }) => {
    if (machine.wasCopied) return;
    const attempt = [...tables.openAttempts].find(({ publicId }) => publicId === id);
    const row = attempt && tables.jobs.get(attempt.jobId);
    const isWanted = row?.publicId === job && attempt?.endedAtMs === null;
    // What was given up on a node that is cut off may begin there all the same, until it is heard of again.
    if (!isWanted || (row.attemptId !== attempt.id && !isGivenUp(tables, id)))
      kernel().violate(
        "no finished job restarts",
        `${id} of ${job} begins, and is not what the job waits for`,
      );
  };
}

/** What systemd is to a node and to a server: who died is started again, who has no power gets it back. */
function keepRunning(universe: Universe): void {
  const { after, random } = kernel();
  const serverStart = () => {
    const { server } = universe;
    if (!server.isUp) {
      if (universe.isMended || random.chance(0.2)) boot(server);
    } else if (!universe.serverProgram?.isAlive) {
      universe.controlPlane = null;
      universe.serverProgram = startControlPlane(server, {
        database: universe.database,
        checked: watchLogs,
        onUp: (controlPlane) => {
          universe.controlPlane = controlPlane;
        },
      });
    }
    after(random.int(200, 1_500), null, serverStart);
  };
  serverStart();
  universe.watchNode = (node) => {
    const nodeStart = () => {
      const { machine, identity } = node;
      if (!machine.isUp) {
        if (universe.isMended || random.chance(0.1)) boot(machine);
      } else if (!node.program?.isAlive && !node.isFinal) {
        const onFinal = () => {
          node.isFinal = true;
        };
        node.program = startAgent(machine, { identity, onFinal });
      }
      after(random.int(200, 1_500), null, nodeStart);
    };
    nodeStart();
  };
  for (const node of universe.nodes) universe.watchNode(node);
}

/** Whatever is stored is what the job wrote, at its place. */
function watchLogs(logs: LogStore): LogStore {
  return {
    ...logs,
    async append(attempt, offset, bytes) {
      const size = await logs.append(attempt, offset, bytes);
      const run = ground().runs.get(attempt);
      const isWritten = size === offset + bytes.length;
      if (!isWritten || run === undefined || run.lostLog) return size;
      const wrote = run.log.subarray(offset, Math.min(size, run.logBytes));
      if (Buffer.compare(wrote, bytes) !== 0)
        kernel().violate("a stored log is a beginning of what was written", `${attempt} at ${offset}`);
      return size;
    },
  };
}

/** Submits until it is acknowledged, and cancels now and then. */
function createPeople(universe: Universe) {
  const { after, random, note } = kernel();
  const acknowledged = new Map<string, string>();
  const cancelAsked = new Set<string>();
  const count = random.int(4, 24);
  let begun = 0;

  /** Whether there is a person who does not wait for silent nodes. */
  const isImpatient = random.chance(0.3);

  function begin(): void {
    lookAround();
    for (let at = 0; at < count; at++)
      after(random.int(0, random.pick([3_000, 30_000])), null, () => submit(at));
  }

  function submit(number: number): void {
    const key = `key-${number}`;
    const spec = newJob(
      number,
      universe.nodes.map(({ identity }) => identity),
    );
    begun += 1;
    const attempt = () => {
      if (acknowledged.has(key)) return;
      const { controlPlane } = universe;
      after(random.int(500, 4_000), null, attempt);
      if (!controlPlane?.program.isAlive) return;
      after(random.delayMs(5), controlPlane.program, () => {
        controlPlane.submit(spec, key).then(
          (id) => after(random.delayMs(5), null, () => acknowledge(key, id)),
          (error: unknown) => note(`submit of ${key} failed: ${String(error).slice(0, 80)}`),
        );
      });
    };
    attempt();
  }

  function acknowledge(key: string, id: string): void {
    const before = acknowledged.get(key);
    if (before === undefined) {
      note(`${key} is ${id}`);
      acknowledged.set(key, id);
      if (random.chance(0.3)) after(random.pick([0, 5, 50, random.int(0, 20_000)]), null, () => cancel(id));
    } else if (before !== id) {
      kernel().violate("a submit key gives one job", `${key} gave ${before} and ${id}`);
    }
  }

  function cancel(id: string): void {
    const { controlPlane } = universe;
    if (!controlPlane?.program.isAlive) return;
    cancelAsked.add(id);
    note(`cancel ${id}`);
    after(random.delayMs(5), controlPlane.program, () => {
      controlPlane
        .cancel(id)
        .catch((error: unknown) => note(`cancel of ${id} failed: ${String(error).slice(0, 80)}`));
    });
  }

  function lookAround(): void {
    after(random.delayMs(8_000) + 1, null, () => {
      const silent = [...universe.tables.liveJobs].filter(({ state }) => state === "unreachable");
      const { controlPlane } = universe;
      const hasCopy = universe.nodes.some(({ machine }) => machine.wasCopied);
      const acts = isImpatient || (universe.isMended && hasCopy);
      if (acts && silent.length > 0 && controlPlane?.program.isAlive) {
        const { publicId } = random.pick(silent);
        note(`requeue ${publicId}`);
        after(random.delayMs(5), controlPlane.program, () => {
          controlPlane
            .requeue(publicId)
            .catch((error: unknown) => note(`requeue of ${publicId} failed: ${String(error).slice(0, 80)}`));
        });
      }
      if (!universe.isMended || hasCopy) lookAround();
    });
  }

  return { begin, acknowledged, cancelAsked, isDone: () => begun === count && acknowledged.size === count };
}

function newRule(): JobSpecInput["retry"] {
  const { random } = kernel();
  return { on: ["lost"], attempts: random.int(1, 3), lostAfterMs: random.pick([10_000, 20_000]) };
}

function newJob(number: number, nodes: NodeIdentity[]): JobSpecInput {
  const { random } = kernel();
  const gpusMax = Math.max(...nodes.map(({ gpus }) => gpus));
  const gpus = gpusMax === 0 || random.chance(0.4) ? 0 : random.int(1, Math.min(2, gpusMax));
  const gpuMemoryMib = gpus > 0 && random.chance(0.5) ? random.pick([20_000, 40_000, 50_000]) : null;
  const durationMs = random.pick([5, 50, 500, 3_000, 20_000]);
  ground().works.set(number, {
    number,
    durationMs,
    writes: random.pick([0, 1, 3, 8]),
    bytesPerWrite: random.pick([1, 60, 900]),
    exitCode: random.pick([0, 0, 0, 1, 3]),
    ignoresTerm: random.chance(0.2),
    leavesProcess: random.chance(0.15),
    gpuMemoryMib,
  });
  return {
    command: ["work", String(number)],
    gpus,
    graceMs: random.pick([0, 500, 5_000]),
    queue: random.chance(0.25) ? "narrow" : "default",
    ...(gpuMemoryMib === null ? {} : { gpuMemoryMib }),
    ...(random.chance(0.2) ? { timeoutMs: random.pick([1_000, 5_000]) } : {}),
    ...(random.chance(0.3) ? { retry: newRule() } : {}),
    ...(random.chance(0.1) ? { target: random.pick(nodes.filter((node) => node.gpus >= gpus)).name } : {}),
  };
}

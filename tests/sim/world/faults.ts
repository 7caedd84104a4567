/** What goes wrong. Each universe has its own mixture: some faults not at all, some often. */
import type { Tables } from "../database/tables.ts";
import { ground } from "./ground.ts";
import { kernel } from "./kernel.ts";
import { addMachine, cutPower, type Machine } from "./machine.ts";
import { network } from "./network.ts";
import type { Universe } from "./universe.ts";

export type Faults = { begin(): void; mend(): void; counts: Record<string, number> };

type Fault = (universe: Universe) => void;

const SECOND_MS = 1_000;

const FAULTS: Record<string, Fault> = {
  agentDies: ({ nodes }) => kill(kernel().random.pick(nodes).program),
  serverDies: ({ serverProgram }) => kill(serverProgram),
  databaseDies({ database }) {
    database.crash();
    later(8 * SECOND_MS, () => {
      database.isUp = true;
    });
  },
  databaseBreaks({ database }) {
    database.breaks = { before: 0.1, after: 0.1 };
    later(10 * SECOND_MS, () => {
      database.breaks = { before: 0, after: 0 };
    });
  },
  databaseSlows({ database }) {
    database.typicalMs = kernel().random.pick([50, 500]);
    later(10 * SECOND_MS, () => {
      database.typicalMs = 1;
    });
  },
  partition({ nodes, server }) {
    const { random } = kernel();
    const { name } = random.pick(nodes).machine;
    const ways = random.pick(["both", "up", "down"]);
    if (ways !== "down") network().cut(name, server.name);
    if (ways !== "up") network().cut(server.name, name);
    later(random.pick([2, 20, 70]) * SECOND_MS, () => network().mend());
  },
  reset: ({ nodes }) => network().reset(kernel().random.pick(nodes).machine.name),
  nodePower({ nodes, tables }) {
    const { machine } = kernel().random.pick(nodes);
    if (machine.isUp) loseNode(machine, tables);
  },
  serverPower({ server }) {
    if (server.isUp) cutPower(server);
  },
  nodeDiskFills: ({ nodes }) => fill(kernel().random.pick(nodes).machine),
  serverDiskFills: ({ server }) => fill(server),
  nodeSyncFails({ nodes }) {
    kernel().random.pick(nodes).machine.disk.failingSyncs += 1;
  },
  serverSyncFails({ server }) {
    server.disk.failingSyncs += 1;
  },
  launcherDies: (universe) => killProcess(universe, "launcher"),
  supervisorDies: (universe) => killProcess(universe, "supervisor"),
  jobDies: (universe) => killProcess(universe, "work"),
  nodeFreezes({ nodes }) {
    const { random, nowMs } = kernel();
    const { program } = random.pick(nodes);
    if (program !== null) program.frozenUntilMs = nowMs + random.pick([2, 20, 60]) * SECOND_MS;
  },
  serverFreezes({ serverProgram }) {
    const { random, nowMs } = kernel();
    if (serverProgram !== null) serverProgram.frozenUntilMs = nowMs + random.pick([2, 20]) * SECOND_MS;
  },
  /** The copy comes while the node itself is cut off: whoever confirms the next generation first is the node from then on. */
  nodeIsCopied({ nodes, server, watchNode }) {
    const { random } = kernel();
    if (nodes.some(({ machine }) => machine.wasCopied)) return;
    const { machine, identity } = random.pick(nodes);
    network().cut(machine.name, server.name);
    network().cut(server.name, machine.name);
    later(70 * SECOND_MS, () => network().mend());
    machine.wasCopied = true;
    for (const run of ground().runs.values()) run.endWasCopied = run.machine === machine && run.hasEnded;
    const copy = addMachine(`${machine.name}-copy`, machine.disk.copy());
    const node = { machine: copy, identity, program: null, isFinal: false };
    nodes.push(node);
    watchNode(node);
  },
  clockJumps({ nodes, server }) {
    const { random } = kernel();
    const machine = random.pick([...nodes.map((node) => node.machine), server]);
    machine.wallSkewMs += random.pick([-5_000, 5_000, 120_000]);
  },
};

export function createFaults(universe: Universe): Faults {
  const { random, after, note } = kernel();
  const names = Object.keys(FAULTS).filter(() => random.chance(0.4));
  const everyMs = random.pick([300, 1_500, 6_000]);
  const counts: Record<string, number> = {};

  function next(): void {
    after(random.delayMs(everyMs) + 1, null, () => {
      if (universe.isMended) return;
      const name = names.length === 0 ? null : random.pick(names);
      if (name !== null) {
        counts[name] = (counts[name] ?? 0) + 1;
        note(`fault ${name}`);
        FAULTS[name]?.(universe);
      }
      next();
    });
  }

  return {
    counts,
    begin() {
      const frames = random.chance(0.5);
      network().frameFaults = {
        double: frames ? random.pick([0, 0.05]) : 0,
        swap: frames ? random.pick([0, 0.05]) : 0,
        lose: frames ? random.pick([0, 0.02]) : 0,
      };
      next();
    },
    mend() {
      const { database, nodes, server, serverProgram } = universe;
      database.isUp = true;
      database.breaks = { before: 0, after: 0 };
      database.typicalMs = 1;
      network().frameFaults = { double: 0, swap: 0, lose: 0 };
      network().mend();
      for (const machine of [server, ...nodes.map((node) => node.machine)]) {
        machine.disk.freeBytes = Number.POSITIVE_INFINITY;
        machine.disk.failingSyncs = 0;
      }
      for (const program of [serverProgram, ...nodes.map((node) => node.program)])
        if (program !== null) program.frozenUntilMs = 0;
    },
  };
}

function later(withinMs: number, then: () => void): void {
  kernel().after(kernel().random.next() * withinMs, null, then);
}

/** At once, or within its next calls to the machine: between a write and its sync, for one. */
function kill(program: Universe["serverProgram"]): void {
  const { random } = kernel();
  if (program === null) return;
  if (random.chance(0.4)) kernel().kill(program);
  else program.callsToLive = random.int(1, 60);
}

function fill(machine: Machine): void {
  const { random } = kernel();
  machine.disk.freeBytes = random.pick([0, 10, 300, 3_000]);
  later(20 * SECOND_MS, () => {
    machine.disk.freeBytes = Number.POSITIVE_INFINITY;
  });
}

/** What the node told before stays true; records and logs on it are not synced. */
function loseNode(machine: Machine, tables: Tables): void {
  const untold = untoldOf(tables);
  for (const run of ground().runs.values()) {
    if (run.machine !== machine || !untold.has(run.attempt)) continue;
    run.lostLog = true;
    run.wasHarmed = true;
  }
  cutPower(machine);
}

function untoldOf(tables: Tables): Set<string> {
  return new Set([...tables.openAttempts].map(({ publicId }) => publicId));
}

type Kind = "launcher" | "supervisor" | "work";

function killProcess({ nodes, tables }: Universe, kind: Kind): void {
  const { random } = kernel();
  const { machine } = random.pick(nodes);
  const found = [...machine.processes.values()].filter(({ words, pid, session }) => {
    if (kind === "work") return words[0] === "work";
    return words.includes("launch") && (pid === session) === (kind === "launcher");
  });
  if (found.length === 0) return;
  const victim = random.pick(found);
  if (kind === "supervisor") {
    // Nobody learns how its job ends, or that it began.
    const untold = untoldOf(tables);
    for (const run of ground().runs.values())
      if (run.machine === machine && untold.has(run.attempt)) run.wasHarmed = true;
  }
  victim.die("SIGKILL", null);
}

/** A computer: its disk, its processes, its clocks, and whether it has power. */
import { createDisk, type Disk } from "./disk.ts";
import { kernel, type MachineClock, type Program } from "./kernel.ts";
import type { SimProcess } from "./sim-process.ts";

export type Machine = MachineClock & {
  disk: Disk;
  isUp: boolean;
  boots: number;
  bootId: string;
  processes: Map<number, SimProcess>;
  pids: number;
  /** Takes part in nothing but waiting: for SIGSTOP and for a laptop that sleeps. */
  programs: Set<Program>;
  /** Its disk was copied to another: of what runs here nothing may ever be heard again. */
  wasCopied: boolean;
};

let machines = new Map<string, Machine>();

export function newMachines(): void {
  machines = new Map();
}

export function machineNamed(name: string): Machine {
  const machine = machines.get(name);
  if (machine === undefined) throw new Error(`no machine ${name}`);
  return machine;
}

export function addMachine(name: string, disk?: Disk): Machine {
  const machine: Machine = {
    name,
    rate: 1,
    wallSkewMs: 0,
    bootedAtMs: kernel().nowMs,
    disk: disk ?? createDisk(kernel().random, () => kernel().nowMs),
    isUp: true,
    boots: 1,
    bootId: `boot-${name}-1`,
    processes: new Map(),
    pids: 100,
    programs: new Set(),
    wasCopied: false,
  };
  machines.set(name, machine);
  return machine;
}

export function machineOfProgram(): Machine {
  const { current } = kernel();
  if (current === null) throw new Error("no program runs");
  return machineNamed(current.machine.name);
}

export function startProgram(name: string, machine: Machine): Program {
  machine.pids += 1;
  const program: Program = {
    name,
    machine,
    isAlive: true,
    callsToLive: null,
    frozenUntilMs: 0,
    onDeath: [],
    pid: machine.pids,
  };
  machine.programs.add(program);
  program.onDeath.push(() => machine.programs.delete(program));
  return program;
}

/** Everything on it ends at once, and its disk keeps what was synced. */
export function cutPower(machine: Machine): void {
  kernel().note(`${machine.name} loses its power`);
  machine.isUp = false;
  for (const program of [...machine.programs]) kernel().kill(program);
  for (const one of [...machine.processes.values()]) one.die("power", null);
  machine.processes.clear();
  machine.disk.cutPower();
}

export function boot(machine: Machine): void {
  machine.isUp = true;
  machine.boots += 1;
  machine.bootId = `boot-${machine.name}-${machine.boots}`;
  machine.bootedAtMs = kernel().nowMs;
  machine.pids = 100;
  kernel().note(`${machine.name} boots`);
}

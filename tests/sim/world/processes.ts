/** The processes on a machine that are not ours: shells, jobs and what they leave behind. */
import { kernel } from "./kernel.ts";
import { type Machine, machineNamed } from "./machine.ts";
import type { SimProcess } from "./sim-process.ts";

export type NewProcess = {
  group: number | "own";
  session: number | "own";
  attempt?: string | null;
  words?: string[];
};

const SIGNAL_NUMBERS: Record<string, number> = { SIGKILL: 9, SIGTERM: 15, power: 9 };

export function addProcess(machine: Machine, given: NewProcess): SimProcess {
  machine.pids += 1;
  const pid = machine.pids;
  const self: SimProcess = {
    pid,
    startTime: String(Math.floor((kernel().nowMs - machine.bootedAtMs) / 10) + 100),
    group: given.group === "own" ? pid : given.group,
    session: given.session === "own" ? pid : given.session,
    attempt: given.attempt ?? null,
    words: given.words ?? [],
    isAlive: true,
    onSignal: () => undefined,
    onEnd: null,
    die(signal, status) {
      if (!self.isAlive) return;
      self.isAlive = false;
      machine.processes.delete(pid);
      self.onEnd?.({ signal, status: status ?? 128 + (SIGNAL_NUMBERS[signal ?? ""] ?? 15) });
    },
  };
  machine.processes.set(pid, self);
  return self;
}

export function signalProcess(machineName: string, { pid, signal }: { pid: number; signal: string }): void {
  const machine = machineNamed(machineName);
  const program = [...machine.programs].find((one) => one.pid === pid);
  if (program !== undefined) {
    if (signal === "SIGKILL") kernel().kill(program);
    return;
  }
  const found = machine.processes.get(pid);
  if (found === undefined) throw Object.assign(new Error(`kill ESRCH ${pid}`), { code: "ESRCH" });
  kernel().after(kernel().random.delayMs(0.2), null, () => {
    if (!found.isAlive) return;
    if (signal === "SIGKILL") found.die("SIGKILL", null);
    else found.onSignal(signal);
  });
}

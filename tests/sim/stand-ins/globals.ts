/**
 * What the programs of the product see in place of Node's globals: timers and clocks of the machine that they run on.
 * esbuild puts these names where the product names the globals (bundle.ts).
 */
import { Death, kernel, type MachineClock, monotonicMs, type Program, wallMs } from "../world/kernel.ts";
import { signalProcess } from "../world/processes.ts";

type Timer = {
  cancel(): void;
  unref(): Timer;
  ref(): Timer;
  hasRef(): boolean;
};

function machineOf(program: Program): MachineClock {
  return program.machine;
}

function running(): Program {
  const { current } = kernel();
  if (current === null) throw new Error("a program's global was used outside of any program");
  return current;
}

function timer(delayMs: number, program: Program, run: () => void): Timer {
  const event = kernel().after(Math.max(0, delayMs) / machineOf(program).rate, program, run);
  const self: Timer = {
    cancel: () => kernel().cancel(event),
    unref: () => self,
    ref: () => self,
    hasRef: () => true,
  };
  return self;
}

export function simSetTimeout(run: (...args: unknown[]) => void, delayMs = 0, ...args: unknown[]): Timer {
  // Node's timers take at least a millisecond.
  return timer(Math.max(1, delayMs), running(), () => run(...args));
}

export function simSetImmediate(run: (...args: unknown[]) => void, ...args: unknown[]): Timer {
  return timer(0, running(), () => run(...args));
}

export function simSetInterval(run: (...args: unknown[]) => void, everyMs = 0, ...args: unknown[]): Timer {
  const program = running();
  let next: Timer;
  const tick = () => {
    next = timer(Math.max(1, everyMs), program, tick);
    run(...args);
  };
  next = timer(Math.max(1, everyMs), program, tick);
  const self: Timer = {
    cancel: () => next.cancel(),
    unref: () => self,
    ref: () => self,
    hasRef: () => true,
  };
  return self;
}

export function simClearTimeout(given: Timer | null | undefined): void {
  given?.cancel();
}

export const simPerformance = { now: () => monotonicMs(running().machine) };
export const simDateNow = () => wallMs(running().machine);
export const simMathRandom = () => kernel().random.next();

export const simProcess = {
  get pid() {
    return running().pid;
  },
  env: {},
  platform: "linux",
  versions: { node: "24.0.0" },
  constrainedMemory: () => 0,
  availableMemory: () => 2 ** 34,
  kill(pid: number, signal: string | number = "SIGTERM"): true {
    const program = running();
    if (!program.isAlive) throw new Death("it is dead");
    kernel().call();
    signalProcess(program.machine.name, { pid, signal: String(signal) });
    return true;
  },
};

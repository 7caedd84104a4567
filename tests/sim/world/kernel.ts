/**
 * The simulated universe's one clock and one line of events.
 *
 * Owns: virtual time, the events to come, which process runs now, and the trace. Invariants: one event at a time, and all
 * promises that it settled have run before the next one begins, so everything that happens is ordered by (time, number of the
 * event); a process that died runs nothing any more, and what it would still do has no effect. Two runs of a seed do the
 * same: nothing in here asks the real clock, and random numbers come from the seed.
 */
import { createRandom, type Random } from "./random.ts";

/** A program of ours that runs on a machine. Its timers, files and sockets end with it. */
export type Program = {
  name: string;
  machine: MachineClock;
  isAlive: boolean;
  /** It dies when this many of its calls to the machine have been made; null when nobody wants it dead. */
  callsToLive: number | null;
  /** Stopped until then: what happens to it waits. */
  frozenUntilMs: number;
  onDeath: (() => void)[];
  /** Pid on its machine. */
  pid: number;
};

export type MachineClock = {
  name: string;
  /** How fast its clock runs; 1 is right. */
  rate: number;
  /** What its wall clock adds to the true time. */
  wallSkewMs: number;
  bootedAtMs: number;
};

type Event = {
  atMs: number;
  number: number;
  program: Program | null;
  run: () => void;
  isCancelled: boolean;
};

/** Thrown out of the call in which a process dies; nobody hears of it. */
export class Death extends Error {}

/** Some moment; wall clocks of machines count from here. */
const EPOCH_MS = 1_800_000_000_000;

export type Kernel = {
  readonly nowMs: number;
  readonly random: Random;
  readonly current: Program | null;
  readonly events: number;
  after(delayMs: number, program: Program | null, run: () => void): Event;
  cancel(event: Event): void;
  /** One line of the trace. */
  note(line: string): void;
  /** Details for whoever reads a trace; made only then, and no part of its hash. */
  tell(line: () => string): void;
  traceHash(): string;
  /** Called by stand-ins before they do something for the running program: it may be its last call. */
  call(): void;
  kill(program: Program): void;
  violate(rule: string, what: string): void;
  readonly violations: string[];
  /** Runs events until `isDone` says so or none is left before `untilMs`. */
  run(options: { isDone: () => boolean; untilMs: number; afterEach: () => void }): Promise<void>;
  /** For what goes wrong outside of any call: in a promise that nobody waits for. */
  onUnhandled(error: unknown): void;
};

let present: Kernel | null = null;

/** The universe that runs now; there is one at a time. */
export function kernel(): Kernel {
  if (present === null) throw new Error("no simulation runs");
  return present;
}

export function wallMs(machine: MachineClock): number {
  return EPOCH_MS + kernel().nowMs + machine.wallSkewMs;
}

export function monotonicMs(machine: MachineClock): number {
  return (kernel().nowMs - machine.bootedAtMs) * machine.rate + 1000;
}

/** The real one: the stand-in of it belongs to the programs. */
const realSetImmediate = globalThis.setImmediate;

export function createKernel(seed: number, onLine: ((line: string) => void) | null): Kernel {
  const random = createRandom(seed);
  const heap: Event[] = [];
  const violations: string[] = [];
  let nowMs = 0;
  let current: Program | null = null;
  let numbers = 0;
  let events = 0;
  let low = 0x811c9dc5;

  const self: Kernel = {
    get nowMs() {
      return nowMs;
    },
    get current() {
      return current;
    },
    get events() {
      return events;
    },
    random,
    violations,
    after(delayMs, program, run) {
      const event = {
        atMs: nowMs + Math.max(0, delayMs),
        number: numbers++,
        program,
        run,
        isCancelled: false,
      };
      push(heap, event);
      return event;
    },
    cancel(event) {
      event.isCancelled = true;
    },
    note(line) {
      for (let at = 0; at < line.length; at++) low = Math.imul(low ^ line.charCodeAt(at), 0x01000193);
      low = Math.imul(low ^ Math.floor(nowMs * 1000), 0x01000193);
      onLine?.(`${(nowMs / 1000).toFixed(4).padStart(10)}  ${line}`);
    },
    tell(line) {
      onLine?.(`${(nowMs / 1000).toFixed(4).padStart(10)}    ${line()}`);
    },
    traceHash: () => (low >>> 0).toString(16).padStart(8, "0"),
    call() {
      if (current === null) return;
      if (!current.isAlive) throw new Death("it is dead");
      if (current.callsToLive === null) return;
      current.callsToLive -= 1;
      if (current.callsToLive > 0) return;
      self.kill(current);
      throw new Death("killed");
    },
    kill(program) {
      if (!program.isAlive) return;
      program.isAlive = false;
      self.note(`${program.name} dies`);
      for (const then of program.onDeath.splice(0)) then();
    },
    violate(rule, what) {
      const line = `${rule}: ${what}`;
      self.note(`VIOLATION ${line}`);
      violations.push(line);
    },
    async run({ isDone, untilMs, afterEach }) {
      while (violations.length === 0 && !isDone()) {
        const event = pop(heap);
        if (event === null) return;
        if (event.isCancelled || event.program?.isAlive === false) continue;
        if (event.atMs > untilMs) {
          push(heap, event);
          nowMs = untilMs;
          return;
        }
        const frozenUntilMs = event.program?.frozenUntilMs ?? 0;
        if (frozenUntilMs > event.atMs) {
          event.atMs = frozenUntilMs;
          push(heap, event);
          continue;
        }
        nowMs = event.atMs;
        events += 1;
        current = event.program;
        try {
          event.run();
        } catch (error) {
          self.onUnhandled(error);
        }
        await new Promise<void>((resolve) => realSetImmediate(resolve));
        current = null;
        afterEach();
      }
    },
    onUnhandled(error) {
      if (error instanceof Death || current?.isAlive === false) return;
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      self.violate("no uncaught error", `${current?.name ?? "the simulator"}: ${text}`);
    },
  };
  present = self;
  return self;
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.number < b.number);
}

function push(heap: Event[], event: Event): void {
  let at = heap.length;
  heap.push(event);
  while (at > 0) {
    const parentAt = (at - 1) >> 1;
    const parent = heap[parentAt] as Event;
    if (isBefore(parent, event)) break;
    heap[at] = parent;
    at = parentAt;
  }
  heap[at] = event;
}

function pop(heap: Event[]): Event | null {
  const first = heap[0];
  const last = heap.pop();
  if (first === undefined || last === undefined) return null;
  if (heap.length === 0) return first;
  let at = 0;
  for (;;) {
    let childAt = 2 * at + 1;
    if (childAt >= heap.length) break;
    if (childAt + 1 < heap.length && isBefore(heap[childAt + 1] as Event, heap[childAt] as Event))
      childAt += 1;
    const child = heap[childAt] as Event;
    if (isBefore(last, child)) break;
    heap[at] = child;
    at = childAt;
  }
  heap[at] = last;
  return first;
}

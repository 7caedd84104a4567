/**
 * Owns: one program that shall always run. States: running → ended → waiting → running; stopped is final. A program that
 * ends early waits longer each time; one that ran for a while starts anew at the shortest wait.
 * Refuses: to start again what ended with a code that says that starting again is no use.
 */
import { type Ended, type Program, type Running, startProgram } from "./start-program.ts";

export type Kept = {
  /** Ends it and waits for it. */
  stop(): Promise<void>;
};

export type KeepOptions = {
  program: Program;
  /** The first start, when someone else made it. */
  first?: Running;
  /** Exit codes after which it stays down. */
  finalCodes: readonly number[];
  /** Time to stop in order before it is killed. */
  stopMs: number;
  /** `againMs` is null when it stays down. */
  onEnded(ended: Ended, againMs: number | null): void;
};

const WAIT_MIN_MS = 500;
const WAIT_MAX_MS = 30_000;
const STEADY_MS = 60_000;

export function keepRunning(options: KeepOptions): Kept {
  const { program, finalCodes, stopMs, onEnded } = options;
  const wish = new AbortController();
  let running: Running | null = null;

  const life = (async () => {
    let waitMs = WAIT_MIN_MS;
    let next = options.first;
    while (!wish.signal.aborted) {
      const startedAtMs = performance.now();
      running = next ?? startProgram(program);
      next = undefined;
      const ended = await running.ended;
      running = null;
      if (wish.signal.aborted) return;
      if (performance.now() - startedAtMs > STEADY_MS) waitMs = WAIT_MIN_MS;
      const isFinal = ended.code !== null && finalCodes.includes(ended.code);
      onEnded(ended, isFinal ? null : waitMs);
      if (isFinal) return;
      await pause(waitMs, wish.signal);
      waitMs = Math.min(waitMs * 2, WAIT_MAX_MS);
    }
  })();

  return {
    async stop() {
      wish.abort();
      if (running) await stopProgram(running, stopMs);
      await life;
    },
  };
}

export async function stopProgram(running: Running, stopMs: number): Promise<void> {
  running.signal("SIGTERM");
  const force = setTimeout(() => running.signal("SIGKILL"), stopMs);
  await running.ended;
  clearTimeout(force);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}

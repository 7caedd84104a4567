import { availableParallelism } from "node:os";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import type { Outcome } from "./world/simulate.ts";

export type RunOrder = { seed: number; steps: number; agents: number; isTold: boolean };

export type RunSeeds = {
  /** Of `bundleSimulator`. */
  bundle: string;
  orders: Iterable<RunOrder>;
  /** @returns false to run no more. */
  onOutcome(outcome: Outcome): boolean;
  onLine?(line: string): void;
  workers?: number;
};

/** Runs universes in threads of their own: each has its own global state, and a broken promise of one is its own. */
export async function runSeeds({ bundle, orders, onOutcome, onLine, workers }: RunSeeds): Promise<void> {
  const queue = orders[Symbol.iterator]();
  let isEnough = false;
  const count = workers ?? Math.max(1, availableParallelism());
  await Promise.all(Array.from({ length: count }, runSome));

  async function runSome(): Promise<void> {
    const first = queue.next();
    if (first.done) return;
    const worker = new Worker(new URL("./run-seeds-worker.ts", import.meta.url), {
      workerData: { bundle: pathToFileURL(bundle).href },
    });
    const done = Promise.withResolvers<void>();
    worker.on("error", done.reject);
    worker.on("message", (message: { line: string } | { outcome: Outcome }) => {
      if ("line" in message) {
        onLine?.(message.line);
        return;
      }
      if (!onOutcome(message.outcome)) isEnough = true;
      const next = isEnough ? null : queue.next();
      if (next === null || next.done) done.resolve();
      else worker.postMessage(next.value);
    });
    worker.postMessage(first.value);
    try {
      await done.promise;
    } finally {
      await worker.terminate();
    }
  }
}

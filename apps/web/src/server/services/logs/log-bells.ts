/**
 * Wakes those who follow a job's log. Owns: who follows what. One listener on the bus for all, looked up by job: ten thousand
 * followers cost an append of another job nothing.
 */
import type { EventBus } from "../ports.ts";

export type LogBells = { listen(job: string, ring: () => void): () => void };

export function createLogBells(events: EventBus): LogBells {
  const rings = new Map<string, Set<() => void>>();
  const ringAll = (job: string) => {
    for (const ring of rings.get(job) ?? []) ring();
  };
  events.on("log", ({ job }) => ringAll(job));
  events.on("job", ({ jobs }) => {
    if (rings.size > 0) for (const job of jobs) ringAll(job);
  });
  return {
    listen(job, ring) {
      const set = rings.get(job) ?? new Set();
      rings.set(job, set);
      set.add(ring);
      return () => {
        set.delete(ring);
        if (set.size === 0) rings.delete(job);
      };
    },
  };
}

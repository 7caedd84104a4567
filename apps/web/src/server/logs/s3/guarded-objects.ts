/**
 * An object store that may be away. Owns: since when it is, why, and when it is asked again. States: there; away. Invariants: while it is
 * away it is asked once each `retryMs`, everything else fails at once with the same words; the first answer ends it.
 */
import { type ObjectStore, ObjectStoreError } from "./object-store.ts";

export type GuardedObjects = ObjectStore & {
  away(): { sinceMs: number; why: string } | null;
};

export type GuardedObjectsOptions = { objects: ObjectStore; nowMs: () => number; retryMs: number };

export function guardObjects({ objects, nowMs, retryMs }: GuardedObjectsOptions): GuardedObjects {
  let away: { sinceMs: number; error: ObjectStoreError; retryAtMs: number } | null = null;

  async function ask<T>(work: () => Promise<T>): Promise<T> {
    if (away !== null) {
      if (nowMs() < away.retryAtMs) throw away.error;
      away.retryAtMs = nowMs() + retryMs;
    }
    try {
      const answer = await work();
      away = null;
      return answer;
    } catch (error) {
      if (!(error instanceof ObjectStoreError)) throw error;
      if (error.trouble === "missing") away = null;
      else away = { sinceMs: away?.sinceMs ?? nowMs(), error, retryAtMs: nowMs() + retryMs };
      throw error;
    }
  }

  return {
    name: objects.name,
    put: (key, bytes) => ask(() => objects.put(key, bytes)),
    get: (key, from, length) => ask(() => objects.get(key, from, length)),
    list: (prefix) => ask(() => objects.list(prefix)),
    remove: (key) => ask(() => objects.remove(key)),
    away: () => away && { sinceMs: away.sinceMs, why: away.error.message },
  };
}

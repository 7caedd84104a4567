import type { EventBus, NexusEvents } from "../../services/ports.ts";

/** Events of one process, delivered at once. */
export function testEvents(): EventBus {
  const listeners = new Map<keyof NexusEvents, Set<(event: never) => void>>();
  return {
    emit(type, event) {
      for (const listener of [...(listeners.get(type) ?? [])]) (listener as (e: typeof event) => void)(event);
    },
    on(type, listener) {
      const set = listeners.get(type) ?? new Set();
      listeners.set(type, set);
      set.add(listener);
      return () => set.delete(listener);
    },
  };
}

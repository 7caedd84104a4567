import type { EventBus, NexusEvents } from "./ports.ts";

/**
 * In-process announcements. Listeners run at once and in order; one that throws harms neither the others nor whoever
 * announced, and is reported.
 */
export function createEventBus(onListenerError: (error: unknown) => void): EventBus {
  const listeners = new Map<keyof NexusEvents, Set<(event: never) => void>>();
  return {
    emit(type, event) {
      for (const listener of listeners.get(type) ?? []) {
        try {
          (listener as (given: typeof event) => void)(event);
        } catch (error) {
          onListenerError(error);
        }
      }
    },
    on(type, listener) {
      const set = listeners.get(type) ?? new Set();
      listeners.set(type, set);
      set.add(listener);
      return () => set.delete(listener);
    },
  };
}

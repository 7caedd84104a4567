/** A set of callbacks. One that throws is our bug and must not keep the others from being called, so it is not caught here. */
export type Listeners = { add(listener: () => void): () => void; call(): void; clear(): void };

export function createListeners(): Listeners {
  const listeners = new Set<() => void>();
  return {
    add(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    call() {
      for (const listener of [...listeners]) listener();
    },
    clear: () => listeners.clear(),
  };
}

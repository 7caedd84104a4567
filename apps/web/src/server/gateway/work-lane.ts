/**
 * Works off what came over a socket, one piece after the other, in order. Owns: the queue and its size. States: idle,
 * busy, stopped. A session has two lanes, so that an exit or a notice never waits behind log bytes that wait for a disk.
 * Invariants: at most one piece is worked on; `size` counts what waits and what is worked on. It refuses nothing: whoever
 * fills it watches `isFull` and stops reading.
 */
export type WorkLane<T> = {
  push(item: T): void;
  isFull(): boolean;
  /** True again only at half, so that a socket is not paused and resumed with every frame. */
  isRoomy(): boolean;
  /** Drops what waits; what is being worked on ends by itself. */
  stop(): void;
  /** When nothing is being worked on. */
  idle(): Promise<void>;
};

export type WorkLaneOptions<T> = {
  sizeOf(item: T): number;
  sizeMax: number;
  work(item: T): Promise<void>;
  /** After each piece. */
  onProgress(): void;
  onError(error: unknown): void;
};

export function createWorkLane<T>(options: WorkLaneOptions<T>): WorkLane<T> {
  let waiting: T[] = [];
  let size = 0;
  let work: Promise<void> | null = null;
  let stopped = false;

  async function drain(): Promise<void> {
    while (waiting.length > 0 && !stopped) {
      const batch = waiting;
      waiting = [];
      for (const item of batch) {
        if (stopped) break;
        try {
          await options.work(item);
        } catch (error) {
          options.onError(error);
        }
        size -= options.sizeOf(item);
        options.onProgress();
      }
    }
    work = null;
  }

  return {
    push(item) {
      if (stopped) return;
      waiting.push(item);
      size += options.sizeOf(item);
      work ??= drain();
    },
    isFull: () => size >= options.sizeMax,
    isRoomy: () => size <= options.sizeMax / 2,
    stop() {
      stopped = true;
      waiting = [];
    },
    idle: () => work ?? Promise.resolve(),
  };
}

/**
 * Sends data over a socket only while little of it waits there, so that control messages, which leave at once, stand behind
 * no more than that. Owns nothing but whether it runs. Invariant: at most one `pull` at a time; a `wake` is never lost.
 */
export type DataPumpOptions<Frame> = {
  isOpen(): boolean;
  /** Bytes that wait in our own memory for the socket. */
  bufferedBytes(): number;
  /** Above this it waits until what it sent last has left. */
  bufferedBytesMax: number;
  /** The next frame to send; null when there is none. */
  pull(): Promise<Frame | null> | Frame | null;
  /** Resolves when the bytes left our memory, or never will. */
  write(frame: Frame): Promise<void>;
  onError(error: unknown): void;
};

export type DataPump = {
  /** There may be data to pull. */
  wake(): void;
};

export function createDataPump<Frame>(options: DataPumpOptions<Frame>): DataPump {
  let isPumping = false;
  let isWoken = false;

  async function pump(): Promise<void> {
    isPumping = true;
    try {
      while (isWoken && options.isOpen()) {
        isWoken = false;
        for (;;) {
          const frame = await options.pull();
          if (frame === null || !options.isOpen()) break;
          const sent = options.write(frame);
          if (options.bufferedBytes() > options.bufferedBytesMax) await sent;
        }
      }
    } finally {
      // In the turn of the last look at `isWoken`: a wake after it begins again, and none falls between.
      isPumping = false;
    }
  }

  return {
    wake() {
      isWoken = true;
      if (!isPumping) pump().catch(options.onError);
    },
  };
}

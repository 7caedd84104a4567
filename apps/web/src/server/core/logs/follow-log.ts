/**
 * One viewer of one attempt's log, from a byte on, until the log has ended or the viewer leaves.
 *
 * Owns: where the viewer is, and whether something happened since it last looked. Invariants: bytes come in order, without a
 * gap and without a repeat; the store is read only when the viewer asks for the next chunk, so a slow viewer is behind and
 * never in the way; no more than one chunk is held; what happens between a look and the wait is not missed. It ends when the
 * log had ended before a look that found nothing more. It refuses nothing: a place beyond the end waits until the log is there.
 */
export type LogPiece = { offset: number; bytes: Uint8Array };

export type LogView = {
  /** Up to `limit` bytes from `offset`; none only where the log ends at present. */
  read(offset: number, limit: number): Promise<Uint8Array>;
  /** No byte will ever be added. Asked only when nothing was left to read. */
  isEnded(): boolean | Promise<boolean>;
  /** Calls `listener` when the log grew or ended. @returns stops listening. */
  onChange(listener: () => void): () => void;
  /** Where to begin. */
  offset: number;
  signal: AbortSignal;
  chunkBytesMax?: number | undefined;
};

/** As large as what the nodes send: few calls a megabyte, and a thousand viewers hold 256 MiB at the very most. */
const CHUNK_BYTES_MAX = 256 * 1024;

export async function* followLog(view: LogView): AsyncGenerator<LogPiece, void, void> {
  const { signal, chunkBytesMax = CHUNK_BYTES_MAX } = view;
  const bell = createBell();
  const unlisten = view.onChange(bell.ring);
  signal.addEventListener("abort", bell.ring);
  let offset = view.offset;
  let hadEnded = false;
  try {
    while (!signal.aborted) {
      bell.reset();
      const bytes = await view.read(offset, chunkBytesMax);
      if (signal.aborted) return;
      if (bytes.byteLength > 0) {
        yield { offset, bytes };
        offset += bytes.byteLength;
      } else if (hadEnded) return;
      else if (await view.isEnded()) hadEnded = true;
      else await bell.rung();
    }
  } finally {
    signal.removeEventListener("abort", bell.ring);
    unlisten();
  }
}

/** Remembers a ring that came while nobody waited. */
function createBell() {
  let hasRung = false;
  let wake: (() => void) | null = null;
  return {
    ring() {
      hasRung = true;
      wake?.();
    },
    reset() {
      hasRung = false;
    },
    rung(): Promise<void> {
      if (hasRung) return Promise.resolve();
      return new Promise((resolve) => {
        wake = resolve;
      });
    },
  };
}

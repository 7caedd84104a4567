/**
 * Brings a log's bytes into a window. Owns the window, one read at a time, and the retry after a failed read.
 * It knows the log's size from two sides (`setSize`, and every answer) and reads until it holds the end. While a reader
 * follows, the window lets go of its front; while a reader has scrolled up, it stops at its bound and never moves what
 * is being read, until the reader comes near that bound. Falling far behind a fast job, it jumps to the tail instead of fetching what nobody can read.
 * It refuses nothing and throws nothing: a failed read is a state with the time of the next try.
 */
import { LogWindow } from "./log-window.ts";

/** The raw bytes of a log. `offset` of the answer is later than asked for where the bytes before are gone for good. */
export type LogSource = {
  read(
    offset: number,
    limit: number,
    signal: AbortSignal,
  ): Promise<{ offset: number; bytes: Uint8Array; size: number; ended: boolean }>;
  /** Number, from 1, of the line at a byte. */
  lineAt?(offset: number, signal: AbortSignal): Promise<number>;
  /** Finds lines in all of the log, however much of it is loaded; case does not count. */
  search?(query: string, options: SourceSearch): Promise<void>;
};

export type SourceSearch = {
  signal: AbortSignal;
  /** So many places are wanted; all are counted. */
  placesMax: number;
  /** Where lines that match begin, in order, as they are found; and how many matched so far. */
  found(places: number[], matches: number): void;
};

export type LogFeedState = {
  /** Grows with every change, so that a view knows that the same window holds something new. */
  readonly version: number;
  readonly window: LogWindow;
  readonly size: number;
  readonly ended: boolean;
  /** Nothing has been read yet. */
  readonly loading: boolean;
  readonly loadingEarlier: boolean;
  readonly loadingLater: boolean;
  /** A read failed; the next try is at `retryAtMs`. */
  readonly trouble: { readonly error: unknown; readonly retryAtMs: number } | null;
};

export type LogFeed = {
  subscribe(listener: () => void): () => void;
  state(): LogFeedState;
  setSize(size: number, ended: boolean): void;
  setFollowing(following: boolean): void;
  loadEarlier(): void;
  /** Goes on behind a window that is full, which then lets go of its front. */
  loadLater(): void;
  /** Makes the row at `offset` part of the window; "end" is the tail. */
  show(offset: number | "end"): void;
  retryNow(): void;
  close(): void;
};

const READ_BYTES = 1024 * 1024;
/** What a reader sees first of a longer log. */
const TAIL_BYTES = 1024 * 1024;
/** A log of up to this size is then completed backwards, so that its lines have numbers and all of it is searched. */
export const WHOLE_BYTES_MAX = 16 * 1024 * 1024;
/** Earlier bytes come in large pieces: each makes the rows be cut anew (about 10 ms per MiB). */
const EARLIER_BYTES = 4 * 1024 * 1024;
/** A follower who is further behind than this jumps to the tail. */
const BEHIND_BYTES_MAX = 8 * 1024 * 1024;
const CONTEXT_BYTES = 256 * 1024;
const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 15_000;

export function createLogFeed(source: LogSource, initial: { size: number; ended: boolean }): LogFeed {
  const listeners = new Set<() => void>();
  let state: LogFeedState = {
    version: 0,
    window: new LogWindow(tailStart(initial.size)),
    size: initial.size,
    ended: initial.ended,
    loading: true,
    loadingEarlier: false,
    loadingLater: false,
    trouble: null,
  };
  let following = true;
  let failures = 0;
  let controller: AbortController | null = null;
  let retryTimer: ReturnType<typeof setTimeout> | null = null;
  let closed = false;
  const numbering = new AbortController();
  /** The window that was last asked about. */
  let numbered: LogWindow | null = null;

  function set(change: Partial<LogFeedState>): void {
    state = { ...state, ...change, version: state.version + 1 };
    for (const listener of listeners) listener();
  }

  function jump(start: number): void {
    controller?.abort();
    controller = null;
    set({
      window: new LogWindow(Math.max(0, start)),
      loading: true,
      loadingEarlier: false,
      loadingLater: false,
    });
  }

  /** The next read, or null when there is nothing to do. */
  function nextRead(): ((signal: AbortSignal) => Promise<void>) | null {
    const { window, size, loading, ended } = state;
    if (state.loadingEarlier && window.start > 0) return readEarlier;
    const nothingYet = loading && size === 0 && !ended;
    if (nothingYet || (window.end < size && (following || state.loadingLater || !window.full)))
      return readNext;
    const isCompleted = size <= WHOLE_BYTES_MAX && !window.full;
    return window.start > 0 && isCompleted && !loading ? readEarlier : null;
  }

  function pump(): void {
    if (closed || controller || retryTimer) return;
    if (following && !state.loading && state.size - state.window.end > BEHIND_BYTES_MAX) {
      jump(tailStart(state.size));
    }
    numberLines();
    const read = nextRead();
    if (!read) {
      if (state.loading) set({ loading: false });
      return;
    }
    const current = new AbortController();
    controller = current;
    read(current.signal).then(
      () => {
        if (current.signal.aborted) return;
        controller = null;
        failures = 0;
        pump();
      },
      (error: unknown) => {
        if (current.signal.aborted) return;
        controller = null;
        failures++;
        const delayMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** (failures - 1));
        retryTimer = setTimeout(retry, delayMs);
        set({ trouble: { error, retryAtMs: Date.now() + delayMs } });
      },
    );
  }

  /** The middle of a log does not tell which lines it holds. Without an answer they stay without numbers. */
  function numberLines(): void {
    const { window, loading } = state;
    if (loading || numbered === window || window.knowsLines || window.rowCount === 0 || !source.lineAt)
      return;
    numbered = window;
    const { start } = window;
    source.lineAt(start, numbering.signal).then(
      (line) => {
        if (closed || state.window !== window) return;
        if (window.setLineAt(start, line)) set({});
        else {
          numbered = null;
          numberLines();
        }
      },
      () => undefined,
    );
  }

  async function readNext(signal: AbortSignal): Promise<void> {
    const { window } = state;
    const answer = await source.read(window.end, READ_BYTES, signal);
    if (signal.aborted) return;
    const before = window.end;
    window.append(answer.offset, answer.bytes);
    if (following || state.loadingLater) window.trim("front");
    const size = Math.max(state.size, answer.size, window.end);
    const stuck = window.end === before && window.end < size;
    set({
      size,
      ended: state.ended || answer.ended,
      loading: false,
      loadingLater: false,
      ...(stuck ? {} : { trouble: null }),
    });
    if (stuck) throw new Error(`the server has ${size} bytes but gave none from ${before}`);
  }

  async function readEarlier(signal: AbortSignal): Promise<void> {
    const { window } = state;
    const start = Math.max(0, window.start - EARLIER_BYTES);
    const pieces: { offset: number; bytes: Uint8Array }[] = [];
    for (let at = start; at < window.start; ) {
      const answer = await source.read(at, window.start - at, signal);
      if (signal.aborted) return;
      // Nothing more before the window: what is left out of the pieces is shown as missing.
      if (answer.bytes.length === 0 || answer.offset >= window.start) break;
      const bytes = answer.bytes.subarray(0, window.start - answer.offset);
      pieces.push({ offset: answer.offset, bytes });
      at = answer.offset + bytes.length;
    }
    window.prepend(start, pieces);
    if (!following) window.trim("back");
    set({ loadingEarlier: false, trouble: null });
  }

  function retry(): void {
    if (retryTimer) clearTimeout(retryTimer);
    retryTimer = null;
    pump();
  }

  pump();
  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    state: () => state,
    setSize(size, ended) {
      if (size <= state.size && ended === state.ended) return;
      set({ size: Math.max(size, state.size), ended });
      pump();
    },
    setFollowing(next) {
      following = next;
      pump();
    },
    loadEarlier() {
      if (state.loadingEarlier || state.window.start === 0) return;
      set({ loadingEarlier: true });
      pump();
    },
    loadLater() {
      if (state.loadingLater || following || !state.window.full || state.window.end >= state.size) return;
      set({ loadingLater: true });
      pump();
    },
    show(offset) {
      const { window, size } = state;
      if (offset === "end") {
        following = true;
        if (size - window.end > WHOLE_BYTES_MAX || (window.full && window.end < size))
          jump(size - TAIL_BYTES);
      } else if (offset < window.start || offset > window.end + (window.full ? 0 : READ_BYTES))
        jump(offset - CONTEXT_BYTES);
      pump();
    },
    retryNow: retry,
    close() {
      closed = true;
      numbering.abort();
      controller?.abort();
      if (retryTimer) clearTimeout(retryTimer);
      listeners.clear();
    },
  };
}

function tailStart(size: number): number {
  return size > TAIL_BYTES ? size - TAIL_BYTES : 0;
}

/**
 * What of an attempt's log may be sent now; pure. The file on the node is the truth, the server writes only where an offset
 * equals its size, and this keeps the two together.
 *
 * States: detached (no connection, or the server has not asked for it) → attached → done.
 * Invariants: `acked ≤ sent ≤ size`; at most LOG_WINDOW_BYTES are on their way; bytes are sent in order from where the server
 * stands. It refuses nothing: any answer of the server moves it to where the server is.
 */
import { LOG_CHUNK_BYTES_MAX, LOG_WINDOW_BYTES } from "@nexus/shared/protocol/limits";

export type LogStream = {
  readonly attempt: string;
  readonly fence: number;
  /** Bytes in the file, as far as we looked. */
  readonly size: number;
  /** The final size; null while the job may write. */
  readonly endsAt: number | null;
  /** Where the server stands; null while detached. */
  readonly at: { readonly acked: number; readonly sent: number; readonly rewoundTo: number | null } | null;
};

export type LogChunk = { offset: number; length: number };

export function newLogStream(attempt: string, fence: number): LogStream {
  return { attempt, fence, size: 0, endsAt: null, at: null };
}

/** The server told its size: at a connect, in `sync`, or for a job that begins. */
export function attachLog(stream: LogStream, logBytes: number): LogStream {
  return { ...stream, at: { acked: logBytes, sent: logBytes, rewoundTo: null } };
}

/** The connection is gone, and with it what was on its way. */
export function detachLog(stream: LogStream): LogStream {
  return { ...stream, at: null };
}

/** A file only grows. A smaller size than seen means that somebody cut it: what is gone cannot be sent. */
export function growLog(stream: LogStream, size: number): LogStream {
  return size === stream.size ? stream : { ...stream, size };
}

export function endLog(stream: LogStream, endsAt: number): LogStream {
  return { ...stream, endsAt, size: Math.max(stream.size, endsAt) };
}

/** @returns what to read and send next, or null when there is nothing or the window is full. */
export function nextChunk(stream: LogStream): LogChunk | null {
  if (stream.at === null) return null;
  const { acked, sent } = stream.at;
  const room = LOG_WINDOW_BYTES - (sent - acked);
  const length = Math.min(stream.size - sent, room, LOG_CHUNK_BYTES_MAX);
  return length > 0 ? { offset: sent, length } : null;
}

/** @param length what was really read, which may be less than was asked for. */
export function sentChunk(stream: LogStream, length: number): LogStream {
  if (stream.at === null) return stream;
  return { ...stream, at: { ...stream.at, sent: stream.at.sent + length } };
}

/**
 * The server's answer. Frames that were on their way when it asked to go back each bring the same demand once more; going
 * back again for those would send everything twice, and twice again. So a demand counts once, until an ack shows that we went;
 * unless the server makes it of its own accord (`again`), since it dropped what we sent.
 */
export function ackLog(
  stream: LogStream,
  ack: { logBytes: number; rewind: boolean; again?: boolean | undefined },
): LogStream {
  if (stream.at === null) return stream;
  const { at } = stream;
  if (ack.rewind) {
    if (at.rewoundTo === ack.logBytes && ack.again !== true) return stream;
    return { ...stream, at: { acked: ack.logBytes, sent: ack.logBytes, rewoundTo: ack.logBytes } };
  }
  if (ack.logBytes <= at.acked) return stream;
  return {
    ...stream,
    at: { acked: ack.logBytes, sent: Math.max(at.sent, ack.logBytes), rewoundTo: null },
  };
}

/** No answer for long: whatever was on its way is sent again from where the server was last known to stand. */
export function resendLog(stream: LogStream): LogStream {
  if (stream.at === null) return stream;
  return { ...stream, at: { acked: stream.at.acked, sent: stream.at.acked, rewoundTo: null } };
}

export function hasUnacked(stream: LogStream): boolean {
  return stream.at !== null && stream.at.sent > stream.at.acked;
}

/** All that the job wrote is stored by the server. */
export function isLogDone(stream: LogStream): boolean {
  return stream.endsAt !== null && stream.at !== null && stream.at.acked >= stream.endsAt;
}

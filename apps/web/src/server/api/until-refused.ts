/**
 * A subscription lives only as long as its viewer may have it. Owns the link between an open stream and a repeated check of the
 * viewer: at every `access` event of theirs, and every `RECHECK_MS` for changes that this process did not see.
 * States: open; ended by the source, by the viewer's going, or by a refused check, which the viewer gets as the stream's error.
 */
import { NexusError } from "@nexus/shared/errors";

const RECHECK_MS = 15_000;

export type GuardedStream<T> = {
  /** Takes a place among the streams. @returns gives it back. */
  enter: () => () => void;
  open: (ended: AbortSignal) => AsyncIterable<T>;
  /** Rejects when the viewer may not have the stream any more. */
  check: () => Promise<void>;
  onAccessChange: (listener: () => void) => () => void;
  parse: (value: T) => unknown;
  toError: (cause: unknown) => Error;
  signal: AbortSignal;
};

export async function* untilRefused<T>(stream: GuardedStream<T>): AsyncGenerator<unknown, void> {
  const refused = new AbortController();
  const recheck = () => {
    stream.check().catch((cause: unknown) => {
      // A database that is away does not cut anyone off.
      if (cause instanceof NexusError) refused.abort(stream.toError(cause));
    });
  };
  const unlisten = stream.onAccessChange(recheck);
  const timer = setInterval(recheck, RECHECK_MS);
  let leave: () => void = () => undefined;
  try {
    leave = stream.enter();
    const ended = AbortSignal.any([stream.signal, refused.signal]);
    for await (const value of stream.open(ended)) yield stream.parse(value);
  } catch (cause) {
    throw stream.toError(cause);
  } finally {
    leave();
    clearInterval(timer);
    unlisten();
  }
  if (refused.signal.aborted) throw refused.signal.reason;
}

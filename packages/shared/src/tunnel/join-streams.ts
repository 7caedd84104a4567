import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { NexusError } from "../errors.ts";

/**
 * Bytes go both ways and so do ends, each for itself: who closed one way still hears the other. What broke on one side breaks
 * the other too, so that nobody takes half an answer for a whole one.
 */
export function joinStreams(one: Duplex, other: Duplex): void {
  couple(one, other);
  couple(other, one);
}

function couple(from: Duplex, to: Duplex): void {
  // Heard here so that it is no fault of the process; what it means is in `close`.
  from.on("error", () => undefined);
  from.pipe(to);
  from.once("close", () => {
    if (!from.readableEnded || !from.writableFinished) breakOff(to, from.errored);
  });
  if (from.destroyed) breakOff(to, from.errored);
}

/** A plain close would look like a good end: TCP has a word of its own for this. */
export function breakOff(stream: Duplex, cause: Error | null): void {
  if (stream.destroyed) return;
  if (stream instanceof Socket) stream.resetAndDestroy();
  else stream.destroy(cause ?? new NexusError("unavailable", { detail: "The connection was cut." }));
}

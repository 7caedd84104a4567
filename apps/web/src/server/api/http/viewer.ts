/**
 * An answer that lasts: written no faster than its viewer takes it, and ended when the viewer goes or may not read any more.
 * Owns nothing between answers.
 */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { NexusError } from "@nexus/shared/errors";

export type Viewer = {
  /** Rejects when the viewer may not read on. */
  recheck: () => Promise<void>;
  /** Called for each change of the viewer's access. @returns stops listening. */
  onAccessChange: (listener: () => void) => () => void;
};

/** For changes of access that this process did not see. */
const RECHECK_MS = 15_000;

/**
 * Aborts when the viewer goes or loses the right to read, at once when it has gone already. To be asked for before anything is
 * waited for. The request's own signal is not used: it misses closed sockets.
 */
export function watchViewer(res: ServerResponse, viewer: Viewer): AbortSignal {
  const ended = new AbortController();
  // What has gone never closes again, and nothing would end the watch.
  if (res.destroyed) {
    ended.abort();
    return ended.signal;
  }
  const recheck = () => {
    viewer.recheck().catch((cause: unknown) => {
      // A database that is away does not cut anyone off.
      if (cause instanceof NexusError) ended.abort(cause);
    });
  };
  const unlisten = viewer.onAccessChange(recheck);
  const timer = setInterval(recheck, RECHECK_MS);
  res.once("close", () => {
    unlisten();
    clearInterval(timer);
    ended.abort();
  });
  return ended.signal;
}

/** @returns false when the viewer has gone. */
export async function writeToViewer(
  res: ServerResponse,
  bytes: Uint8Array,
  ended: AbortSignal,
): Promise<boolean> {
  if (ended.aborted) return false;
  if (res.write(bytes)) return true;
  try {
    await once(res, "drain", { signal: ended });
    return true;
  } catch (cause) {
    if (ended.aborted) return false;
    throw cause;
  }
}

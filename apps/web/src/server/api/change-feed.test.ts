import { describe, expect, it } from "vitest";
import { openChangeFeed } from "./change-feed.ts";

function feedOf(options: { bufferedBytes?: () => number; pendingMax?: number; intervalMs?: number } = {}) {
  let note: (id: string) => void = () => undefined;
  let listening = false;
  const abort = new AbortController();
  const feed = openChangeFeed({
    signal: abort.signal,
    bufferedBytes: options.bufferedBytes ?? (() => 0),
    intervalMs: options.intervalMs ?? 5,
    pendingMax: options.pendingMax ?? 100,
    listen: (listener) => {
      note = listener;
      listening = true;
      return () => {
        listening = false;
      };
    },
  });
  const batches = feed[Symbol.asyncIterator]();
  return { batches, abort, feed, note: (id: string) => note(id), isListening: () => listening };
}

describe("a feed of changes", () => {
  it("[A24] gathers what changed since the last message, each id once", async () => {
    const { batches, note } = feedOf();
    for (const id of ["a", "b", "a"]) note(id);
    expect((await batches.next()).value).toEqual(["b", "a"]);
    note("c");
    note("c");
    expect((await batches.next()).value).toEqual(["c"]);
  });

  it("[A24] a change before the first reading is not missed", async () => {
    const { batches, note } = feedOf();
    note("early");
    expect((await batches.next()).value).toEqual(["early"]);
  });

  it("[A24] wakes a reader that waits", async () => {
    const { batches, note } = feedOf();
    const next = batches.next();
    note("a");
    expect((await next).value).toEqual(["a"]);
  });

  it("[A24] a viewer who is behind costs a bounded set of ids and gets the newest", async () => {
    let buffered = Number.POSITIVE_INFINITY;
    const { batches, note } = feedOf({ bufferedBytes: () => buffered, pendingMax: 3 });
    const next = batches.next();
    for (const id of ["a", "b", "c", "d", "e"]) note(id);
    buffered = 0;
    expect((await next).value).toEqual(["c", "d", "e"]);
  });

  it("[A24] leaves nothing behind when the viewer goes while it waits", async () => {
    const { batches, abort, isListening } = feedOf();
    const next = batches.next();
    abort.abort();
    expect((await next).done).toBe(true);
    expect(isListening()).toBe(false);
  });

  it("[A24] ends between two messages too, without waiting for the interval", async () => {
    const { batches, abort, note, isListening } = feedOf({ intervalMs: 3_600_000 });
    note("a");
    await batches.next();
    note("b");
    const next = batches.next();
    abort.abort();
    expect((await next).done).toBe(true);
    expect(isListening()).toBe(false);
  });
});

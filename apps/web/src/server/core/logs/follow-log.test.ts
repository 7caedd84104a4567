import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTestStore, pattern, type TestStore } from "../../logs/testing/test-store.ts";
import { createEventBus } from "../../services/event-bus.ts";
import type { LogStore } from "../../services/ports.ts";
import { followLog, type LogView } from "./follow-log.ts";
import { createLogWatch } from "./log-watch.ts";

const A = "a_0000000001";

let files: TestStore;
beforeEach(() => {
  files = createTestStore();
});
afterEach(() => files.clean());

/** A real log that grows and ends when the test says so. */
function growing(store: LogStore) {
  const events = createEventBus((error) => {
    throw error;
  });
  const watch = createLogWatch(events);
  const state = { ended: false, reads: 0, listeners: 0 };
  const tell = async () => {
    const logBytes = await store.size(A);
    events.emit("log", { teamId: "t", job: "j", attempt: A, logBytes, ended: state.ended });
  };
  return {
    state,
    async append(bytes: Uint8Array) {
      await store.append(A, await store.size(A), bytes);
      await tell();
    },
    async end() {
      state.ended = true;
      await tell();
    },
    view(options: Partial<LogView> = {}): LogView {
      return {
        read(offset, limit) {
          state.reads += 1;
          return store.read(A, offset, limit);
        },
        isEnded: () => state.ended,
        onChange(listener) {
          state.listeners += 1;
          const unlisten = watch.onChange(A, listener);
          return () => {
            state.listeners -= 1;
            unlisten();
          };
        },
        offset: 0,
        signal: new AbortController().signal,
        ...options,
      };
    },
  };
}

async function collect(view: LogView): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let at = view.offset;
  for await (const { offset, bytes } of followLog(view)) {
    expect(offset).toBe(at);
    expect(bytes.byteLength).toBeGreaterThan(0);
    expect(bytes.byteLength).toBeLessThanOrEqual(view.chunkBytesMax ?? 256 * 1024);
    at += bytes.byteLength;
    pieces.push(bytes);
  }
  return Buffer.concat(pieces);
}

test("[L15] followers that begin anywhere, at any time, get every byte from there on once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(300), { minLength: 1, maxLength: 20 }),
      fc.array(
        fc.record({
          offset: fc.nat(600),
          chunkBytesMax: fc.integer({ min: 1, max: 400 }),
          after: fc.nat(20),
        }),
        {
          maxLength: 6,
        },
      ),
      async (lengths, followers) => {
        const own = createTestStore();
        const log = growing(own.open({ segmentBytes: 128 }));
        const whole = pattern(
          lengths.reduce((sum, length) => sum + length),
          5,
        );
        const followed: Promise<void>[] = [];
        const join = (step: number) => {
          for (const { offset, chunkBytesMax, after } of followers) {
            if (after !== step) continue;
            const got = collect(log.view({ offset, chunkBytesMax }));
            followed.push(got.then((bytes) => expect(bytes).toEqual(whole.subarray(offset))));
          }
        };
        let at = 0;
        for (const [step, length] of lengths.entries()) {
          join(step);
          await log.append(whole.subarray(at, at + length));
          at += length;
        }
        await log.end();
        for (let step = lengths.length; step <= 20; step++) join(step);
        await Promise.all(followed);
        expect(log.state.listeners).toBe(0);
        await own.clean();
      },
    ),
    { numRuns: 60 },
  );
});

test("[L15] a follower reads only when it is asked, one chunk at a time, and the writer does not wait for it", async () => {
  const log = growing(files.open());
  const follower = followLog(log.view({ chunkBytesMax: 1000 }));
  await log.append(pattern(1000, 1));
  expect((await follower.next()).value?.bytes).toHaveLength(1000);
  for (let i = 0; i < 100; i++) await log.append(pattern(10_000, i));
  expect(log.state.reads).toBe(1);
  expect((await follower.next()).value).toMatchObject({ offset: 1000 });
  expect(log.state.reads).toBe(2);
  await follower.return();
  expect(log.state.listeners).toBe(0);
});

test("[L15] what is written while the end is being asked for is not missed", async () => {
  const log = growing(files.open());
  let asked = 0;
  const view = log.view({
    async isEnded() {
      asked += 1;
      if (asked === 1) await log.append(pattern(10, 1));
      if (asked === 2) {
        await log.append(pattern(10, 2));
        await log.end();
      }
      return log.state.ended;
    },
  });
  expect(await collect(view)).toEqual(Buffer.concat([pattern(10, 1), pattern(10, 2)]));
  expect(asked).toBe(2);
});

test("[L15] a log that had ended is read to its end; a place beyond the end waits for the log to get there", async () => {
  const log = growing(files.open());
  const beyond = collect(log.view({ offset: 15 }));
  await log.append(pattern(10, 1));
  await log.append(pattern(10, 1));
  await log.end();
  expect(await beyond).toHaveLength(5);
  expect(await collect(log.view({ chunkBytesMax: 3 }))).toHaveLength(20);
  expect(await collect(log.view({ offset: 20 }))).toHaveLength(0);
  expect(await collect(log.view({ offset: 1000 }))).toHaveLength(0);
});

test("[L16] a viewer who leaves ends the following, before it, while it waits and between chunks", async () => {
  const log = growing(files.open());
  const leave = new AbortController();
  const waiting = collect(log.view({ signal: leave.signal }));
  await expect.poll(() => log.state.reads).toBe(1);
  leave.abort();
  expect(await waiting).toHaveLength(0);
  expect(await collect(log.view({ signal: leave.signal }))).toHaveLength(0);

  await log.append(pattern(100, 1));
  const later = new AbortController();
  const follower = followLog(log.view({ signal: later.signal, chunkBytesMax: 10 }));
  await follower.next();
  later.abort();
  expect(await follower.next()).toEqual({ done: true, value: undefined });
  expect(log.state.listeners).toBe(0);
});

test("[L16] a store that fails ends the following with its error, and nothing stays behind", async () => {
  const log = growing(files.open());
  const view = log.view({ read: () => Promise.reject(new Error("no disk")) });
  await expect(collect(view)).rejects.toThrow("no disk");
  expect(log.state.listeners).toBe(0);
});

/** What every home of logs must do, on each of them. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { LogStore } from "../services/ports.ts";
import { READ_BYTES_MAX } from "./attempt-logs.ts";
import { createTestS3Store, type S3Server, startS3Server } from "./testing/s3-server.ts";
import { createTestStore, pattern } from "./testing/test-store.ts";

const A = "a_0000000001";
const B = "a_7kzzzzzzzz";
const utf8 = new TextEncoder();
const bytes = (text: string) => utf8.encode(text);
const text = async (store: LogStore, attempt = A) =>
  new TextDecoder().decode(await store.read(attempt, 0, READ_BYTES_MAX));

type Home = {
  root: string;
  problems: string[];
  open(options?: { segmentBytes?: number; openFilesMax?: number }): Promise<LogStore>;
  clean(): Promise<void>;
};

let server: S3Server;
beforeAll(async () => {
  server = await startS3Server();
});
afterAll(() => server.clean());

function segmentHome(): Home {
  const store = createTestStore();
  return { ...store, open: async (options) => store.open(options) };
}

function bucketHome(): Home {
  const store = createTestS3Store(server);
  return {
    ...store,
    open: ({ segmentBytes, ...options } = {}) => store.open({ pieceBytes: segmentBytes, ...options }),
  };
}

const HOMES = [
  { name: "segment files", createHome: segmentHome, numRuns: 150, mayCrash: true },
  // A store that still moves files cannot be left behind in this process; how one that was killed is taken up is tested by itself.
  { name: "a bucket", createHome: bucketHome, numRuns: 20, mayCrash: false },
];

describe.each(HOMES)("logs in $name", ({ createHome, numRuns, mayCrash }) => {
  let home: Home;
  beforeEach(() => {
    home = createHome();
  });
  afterEach(() => home.clean());

  describe("appending", () => {
    test("[L1] bytes are stored only where the log ends; anything else changes nothing and tells the size", async () => {
      const store = await home.open();
      expect(await store.size(A)).toBe(0);
      expect(await store.append(A, 3, bytes("gap"))).toBe(0);
      expect(existsSync(join(home.root, "00"))).toBe(false);
      expect(await store.append(A, 0, bytes("hello"))).toBe(5);
      expect(await store.append(A, 0, bytes("again"))).toBe(5);
      expect(await store.append(A, 4, bytes("overlap"))).toBe(5);
      expect(await store.append(A, 6, bytes("gap"))).toBe(5);
      expect(await store.append(A, 5, new Uint8Array(0))).toBe(5);
      expect(await store.append(A, 5, bytes(" you"))).toBe(9);
      expect(await text(store)).toBe("hello you");
      expect(await store.size(B)).toBe(0);
    });

    test("[L1] of appends that race for one place, one is stored whole", async () => {
      const store = await home.open();
      const sizes = await Promise.all(
        [1, 2, 3, 4].map((n) => store.append(A, 0, bytes(String(n).repeat(n)))),
      );
      expect(sizes).toEqual([1, 1, 1, 1]);
      expect(await text(store)).toBe("1");
    });

    test("[L5] many attempts at once, in order within each, with readers that never see half an append", async () => {
      const store = await home.open({ segmentBytes: 700, openFilesMax: 5 });
      const attempts = Array.from({ length: 60 }, (_, n) => `a_${String(n).padStart(10, "0")}`);
      await Promise.all(
        attempts.map(async (attempt, seed) => {
          const log = pattern(4000, seed);
          let isWriting = true;
          const hasBegun = Promise.withResolvers<void>();
          const write = async () => {
            for (let at = 0; at < log.length; at += 250) {
              // The repeat stands for a node that did not hear the answer.
              const [size] = await Promise.all([
                store.append(attempt, at, log.subarray(at, at + 250)),
                store.append(attempt, at, log.subarray(at, at + 250)),
              ]);
              expect(size).toBe(at + 250);
              hasBegun.resolve();
            }
            isWriting = false;
          };
          const look = async () => {
            await hasBegun.promise;
            while (isWriting) {
              const seen = await store.read(attempt, 0, log.length);
              expect(seen.byteLength % 250).toBe(0);
              expect(log.subarray(0, seen.byteLength).equals(seen)).toBe(true);
            }
          };
          await Promise.all([write(), look()]);
          expect(log.equals(await store.read(attempt, 0, 5000))).toBe(true);
        }),
      );
    });
  });

  describe("reading", () => {
    test("[L2] a read is as long as was asked for, up to the end and the limit of one answer", async () => {
      const store = await home.open({ segmentBytes: 1024 * 1024 });
      const log = pattern(READ_BYTES_MAX + 1000, 1);
      for (let at = 0; at < log.length; at += 400_000)
        await store.append(A, at, log.subarray(at, at + 400_000));
      expect((await store.read(A, 0, log.length)).byteLength).toBe(READ_BYTES_MAX);
      expect(log.subarray(0, READ_BYTES_MAX).equals(await store.read(A, 0, Number.MAX_SAFE_INTEGER))).toBe(
        true,
      );
      expect(log.subarray(-1000).equals(await store.read(A, READ_BYTES_MAX, READ_BYTES_MAX))).toBe(true);
      for (const [offset, limit] of [
        [log.length, 10],
        [log.length + 10, 10],
        [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
        [0, 0],
      ] as const) {
        expect((await store.read(A, offset, limit)).byteLength).toBe(0);
      }
      expect((await store.read(B, 0, 10)).byteLength).toBe(0);
    });

    test("[L2] a log is the same after any appends, wrong ones too, at any place, across any restart", async () => {
      const chunk = fc.uint8Array({ minLength: 0, maxLength: 90 });
      const attempt = fc.constantFrom(A, B);
      const step = fc.oneof(
        { weight: 6, arbitrary: fc.record({ do: fc.constant("append" as const), attempt, chunk }) },
        {
          weight: 2,
          arbitrary: fc.record({
            do: fc.constant("misplace" as const),
            attempt,
            chunk,
            by: fc.integer({ min: -60, max: 60 }),
          }),
        },
        {
          weight: 4,
          arbitrary: fc.record({
            do: fc.constant("read" as const),
            attempt,
            offset: fc.nat(700),
            limit: fc.nat(700),
          }),
        },
        { weight: 2, arbitrary: fc.record({ do: fc.constant("tail" as const), attempt, lines: fc.nat(12) }) },
        { weight: 1, arbitrary: fc.record({ do: fc.constant("sync" as const), attempt }) },
        { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), isOrderly: fc.boolean() }) },
        { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), attempt }) },
      );
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { maxLength: 60 }),
          fc.integer({ min: 1, max: 120 }),
          async (steps, segmentBytes) => {
            const own = createHome();
            const options = { segmentBytes, openFilesMax: 2 };
            let store = await own.open(options);
            const model: Record<string, Buffer> = { [A]: Buffer.alloc(0), [B]: Buffer.alloc(0) };
            const logOf = (id: string) => model[id] ?? Buffer.alloc(0);
            try {
              for (const now of steps) {
                if (now.do === "restart") {
                  if (now.isOrderly || !mayCrash) await store.close();
                  store = await own.open(options);
                  continue;
                }
                const log = logOf(now.attempt);
                if (now.do === "append") {
                  model[now.attempt] = Buffer.concat([log, now.chunk]);
                  expect(await store.append(now.attempt, log.length, now.chunk)).toBe(
                    logOf(now.attempt).length,
                  );
                } else if (now.do === "misplace") {
                  const offset = Math.max(0, log.length + now.by);
                  if (offset === log.length) continue;
                  expect(await store.append(now.attempt, offset, now.chunk)).toBe(log.length);
                } else if (now.do === "read") {
                  const seen = await store.read(now.attempt, now.offset, now.limit);
                  expect(Buffer.from(seen)).toEqual(log.subarray(now.offset, now.offset + now.limit));
                } else if (now.do === "remove") {
                  await store.remove(now.attempt);
                  model[now.attempt] = Buffer.alloc(0);
                } else if (now.do === "tail") {
                  expect(await store.tailOffset(now.attempt, now.lines)).toBe(tailOf(log, now.lines));
                } else await store.sync(now.attempt);
                expect(await store.size(now.attempt)).toBe(logOf(now.attempt).length);
              }
              expect(own.problems).toEqual([]);
            } finally {
              await own.clean();
            }
          },
        ),
        { numRuns },
      );
    });
  });

  describe("numbers, removal, closing", () => {
    test("[L1] numbers that are no places are a caller's mistake", async () => {
      const store = await home.open();
      for (const wrong of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
        await expect(store.append(A, wrong, bytes("x"))).rejects.toThrow("whole number");
        await expect(store.read(A, wrong, 1)).rejects.toThrow("whole number");
        await expect(store.read(A, 0, wrong)).rejects.toThrow("whole number");
        await expect(store.tailOffset(A, wrong)).rejects.toThrow("whole number");
      }
    });

    test("[L9] what is removed is gone, whoever reads it meanwhile, and others stay", async () => {
      const store = await home.open({ segmentBytes: 64 });
      const log = pattern(1000, 1);
      for (let at = 0; at < log.length; at += 50) await store.append(A, at, log.subarray(at, at + 50));
      await store.append(B, 0, bytes("stays"));
      const reads = Array.from({ length: 20 }, () => store.read(A, 0, 1000));
      const ends = Promise.all([store.remove(A), store.sync(A)]);
      for (const read of await Promise.all(reads)) {
        expect(log.subarray(0, read.byteLength).equals(read)).toBe(true);
      }
      await ends;
      expect(await store.size(A)).toBe(0);
      expect(existsSync(join(home.root, "00", A))).toBe(false);
      await store.remove(A);
      await store.sync(A);
      expect(await text(store, B)).toBe("stays");
      expect(await store.append(A, 0, bytes("new"))).toBe(3);
      expect(await text(store)).toBe("new");
    });

    test("[L9] closing ends what was begun, and refuses what comes after", async () => {
      const store = await home.open({ segmentBytes: 100 });
      const log = pattern(1000, 4);
      const begun: Promise<unknown>[] = [];
      for (let at = 0; at < log.length; at += 50) begun.push(store.append(A, at, log.subarray(at, at + 50)));
      begun.push(store.sync(A), store.sync(A));
      await store.close();
      await Promise.all(begun);
      await expect(store.append(A, 1000, bytes("late"))).rejects.toThrow("closed");
      await store.close();
      expect(log.equals(await (await home.open()).read(A, 0, 2000))).toBe(true);
    });
  });
});

/** As `tail -n` does it, on the whole log at once. */
function tailOf(log: Buffer, lines: number): number {
  if (lines === 0) return log.length;
  const starts = [0];
  for (let at = 0; at < log.length - 1; at++) if (log[at] === 10) starts.push(at + 1);
  return log.length === 0 ? 0 : (starts.at(-lines) ?? 0);
}

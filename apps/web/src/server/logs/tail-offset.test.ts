import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createLineCounts } from "./line-counts.ts";
import { BLOCK_BYTES, linesBefore, tailOffset } from "./tail-offset.ts";
import { createTestStore, pattern } from "./testing/test-store.ts";

const A = "a_0000000001";
const B = "a_0000000002";

/** A log in memory that counts the bytes it was asked for. */
function logOf(initial: Buffer, counts = createLineCounts(1000)) {
  const log = { bytes: initial, readBytes: 0 };
  return {
    log,
    tail(lines: number, attempt = A) {
      return tailOffset({
        attempt,
        size: log.bytes.length,
        lines,
        counts,
        async read(offset, limit) {
          const bytes = log.bytes.subarray(offset, offset + limit);
          log.readBytes += bytes.length;
          return bytes;
        },
      });
    },
  };
}

/** As `tail -n` does it, on the whole log at once. */
function expected(bytes: Buffer, lines: number): number {
  const text = bytes.toString("latin1");
  const starts = [...(text.endsWith("\n") ? text.slice(0, -1) : text).matchAll(/\n/g)].map(
    ({ index }) => index + 1,
  );
  return lines === 0 || text === "" ? text.length : ([0, ...starts].at(-lines) ?? 0);
}

test.each([
  ["", 5, 0],
  ["a", 1, 0],
  ["a\n", 0, 2],
  ["a\n", 1, 0],
  ["a\nb\nc\n", 1, 4],
  ["a\nb\nc", 1, 4],
  ["a\nb\nc\n", 2, 2],
  ["a\nb\nc\n", 3, 0],
  ["a\nb\nc\n", 30, 0],
  ["\n\n\n", 1, 2],
  ["50%\r60%\rdone\nx", 2, 0],
])("[L8] of %j the last %i lines begin at byte %i", async (text, lines, offset) => {
  expect(await logOf(Buffer.from(text)).tail(lines)).toBe(offset);
});

test("[L8] any log, asked again and again while it grows, is cut where tail cuts it", async () => {
  const step = fc.record({
    runs: fc.array(fc.nat(BLOCK_BYTES / 2), { maxLength: 6 }),
    ends: fc.nat(4),
    lines: fc.nat(9),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
      const { log, tail } = logOf(Buffer.alloc(0));
      for (const { runs, ends, lines } of steps) {
        // Lines of up to half a block put line ends on, before and behind the borders of blocks.
        const grown = runs.map((length) => Buffer.alloc(length, "x").fill("\n", Math.max(0, length - ends)));
        log.bytes = Buffer.concat([log.bytes, ...grown]);
        expect(await tail(lines)).toBe(expected(log.bytes, lines));
      }
    }),
    { numRuns: 60 },
  );
});

test("[L8] line ends on both sides of a block's border are counted once", async () => {
  for (const at of [BLOCK_BYTES - 1, BLOCK_BYTES, 2 * BLOCK_BYTES - 1]) {
    const bytes = Buffer.alloc(3 * BLOCK_BYTES, "x");
    bytes[at] = 10;
    const { tail } = logOf(bytes);
    expect(await tail(1)).toBe(at + 1);
    expect(await tail(2)).toBe(0);
    expect(await tail(1)).toBe(at + 1);
  }
});

test("[L8] blocks whose lines are known are not read again, and the last one always is", async () => {
  const { log, tail } = logOf(Buffer.alloc(20 * BLOCK_BYTES, "0123456789abcde\n"));
  const lines = (19 * BLOCK_BYTES) / 16;
  expect(await tail(lines)).toBe(BLOCK_BYTES);
  expect(log.readBytes).toBeGreaterThanOrEqual(19 * BLOCK_BYTES);
  log.readBytes = 0;
  log.bytes = Buffer.concat([log.bytes, Buffer.from("one more\n")]);
  expect(await tail(lines + 1)).toBe(BLOCK_BYTES);
  // The end, the block of the answer, and the one that the first look did not need to its end.
  expect(log.readBytes).toBeLessThan(3 * BLOCK_BYTES);
});

test("[L8] no more counts are kept than there is room for; the log asked for longest ago is forgotten first", () => {
  const counts = createLineCounts(3);
  counts.set(A, 0, 10);
  counts.set(A, 1, 11);
  counts.set(B, 0, 20);
  counts.set(B, 1, 21);
  expect([counts.get(A, 0), counts.get(A, 1)]).toEqual([undefined, undefined]);
  expect([counts.get(B, 0), counts.get(B, 1)]).toEqual([20, 21]);
  for (let block = 2; block < 100; block++) counts.set(B, block, block);
  expect([counts.get(B, 0), counts.get(B, 2), counts.get(B, 3)]).toEqual([20, 2, undefined]);
  counts.forget(B);
  counts.set(A, 5, 1);
  expect([counts.get(B, 0), counts.get(A, 5)]).toEqual([undefined, 1]);
});

test("[L20] the lines before a byte are as many as the line ends there, and counted blocks are not read again", async () => {
  const own = createTestStore();
  try {
    const store = own.open({ segmentBytes: 3 * BLOCK_BYTES + 17 });
    const bytes = pattern(10 * BLOCK_BYTES + 1234, 3);
    for (let at = 0; at < bytes.length; at += 100_000)
      await store.append(A, at, bytes.subarray(at, at + 100_000));
    const before = (offset: number) => bytes.subarray(0, offset).filter((byte) => byte === 10).length;
    const places = [
      0,
      1,
      BLOCK_BYTES,
      9 * BLOCK_BYTES + 5,
      bytes.length,
      4 * BLOCK_BYTES - 1,
      bytes.length + 99,
    ];
    for (const offset of places) expect(await store.linesBefore(A, offset)).toBe(before(offset));
    let reads = 0;
    const counts = createLineCounts(100);
    const read = async (offset: number, limit: number) => {
      reads += 1;
      return bytes.subarray(offset, offset + limit);
    };
    const tell = () => linesBefore({ attempt: A, size: bytes.length, offset: bytes.length, read, counts });
    expect([await tell(), await tell()]).toEqual([before(bytes.length), before(bytes.length)]);
    // All of it in two reads, then only its last, short block.
    expect(reads).toBe(3);
  } finally {
    await own.clean();
  }
});

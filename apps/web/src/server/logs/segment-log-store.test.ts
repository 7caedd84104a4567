import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { LogStore } from "../services/ports.ts";
import { READ_BYTES_MAX } from "./attempt-logs.ts";
import { createTestStore, pattern, type TestStore } from "./testing/test-store.ts";

const A = "a_0000000001";
const B = "a_7kzzzzzzzz";
const utf8 = new TextEncoder();
const bytes = (text: string) => utf8.encode(text);
const text = async (store: LogStore, attempt = A) =>
  new TextDecoder().decode(await store.read(attempt, 0, READ_BYTES_MAX));

let files: TestStore;
beforeEach(() => {
  files = createTestStore();
});
afterEach(() => files.clean());

const segmentsOf = (attempt = A) => readdirSync(join(files.root, attempt.slice(2, 4), attempt)).sort();
const segmentPath = (name: string, attempt = A) => join(files.root, attempt.slice(2, 4), attempt, name);
const named = (offset: number) => `${String(offset).padStart(16, "0")}.seg`;

describe("damage", () => {
  /** "abcd" "efgh" "ij", a segment each. */
  async function threeSegments(): Promise<void> {
    const store = files.open({ segmentBytes: 4 });
    for (const [at, piece] of [
      [0, "abcd"],
      [4, "efgh"],
      [8, "ij"],
    ] as const) {
      await store.append(A, at, bytes(piece));
    }
    await store.close();
    expect(segmentsOf()).toEqual([named(0), named(4), named(8)]);
  }

  test("[L3] a torn or empty last segment is the end, and the log goes on from there", async () => {
    await threeSegments();
    truncateSync(segmentPath(named(8)), 1);
    let store = files.open({ segmentBytes: 4 });
    expect(await store.size(A)).toBe(9);
    await store.close();
    truncateSync(segmentPath(named(8)), 0);
    store = files.open({ segmentBytes: 4 });
    expect(await store.append(A, 8, bytes("IJ"))).toBe(10);
    expect(await text(store)).toBe("abcdefghIJ");
    expect(files.problems).toEqual([]);
  });

  test("[L3] a hole ends the log; what lies behind it is told, ignored, and gone before the log grows into it", async () => {
    await threeSegments();
    truncateSync(segmentPath(named(4)), 1);
    let store = files.open({ segmentBytes: 4 });
    expect(await store.size(A)).toBe(5);
    expect(await text(store)).toBe("abcde");
    expect(files.problems.join()).toMatch(/hole at byte 5/);
    // Only looked at: nothing is thrown away that somebody may want to see.
    expect(segmentsOf()).toHaveLength(3);
    expect(await store.append(A, 5, bytes("FGH"))).toBe(8);
    expect(segmentsOf()).toEqual([named(0), named(4)]);
    expect(await store.append(A, 8, bytes("IJ"))).toBe(10);
    await store.close();
    store = files.open();
    expect(await text(store)).toBe("abcdeFGHIJ");
    expect(files.problems).toHaveLength(1);
  });

  test("[L3] without its beginning a log is empty; files that are no segments are left alone", async () => {
    await threeSegments();
    truncateSync(segmentPath(named(0)), 0);
    writeFileSync(segmentPath("notes.txt"), "mine");
    writeFileSync(segmentPath("5.seg"), "no segment's name");
    const store = files.open({ segmentBytes: 4 });
    expect(await store.size(A)).toBe(0);
    expect(await store.append(A, 0, bytes("abcd"))).toBe(4);
    expect(segmentsOf()).toEqual([named(0), "5.seg", "notes.txt"].sort());
    expect(readFileSync(segmentPath("notes.txt"), "utf8")).toBe("mine");
  });

  test("[L3] after files were cut anywhere, the log is a prefix of what was written and becomes whole again", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 }),
        fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 3 }),
        fc.integer({ min: 1, max: 80 }),
        async (lengths, cuts, segmentBytes) => {
          const own = createTestStore();
          try {
            const log = pattern(
              lengths.reduce((sum, length) => sum + length),
              7,
            );
            const fill = async (store: LogStore, from: number) => {
              let at = from;
              for (const length of [...lengths, log.length]) {
                at = await store.append(A, at, log.subarray(at, at + length));
              }
              expect(at).toBe(log.length);
            };
            const before = own.open({ segmentBytes });
            await fill(before, 0);
            await before.close();
            const folder = join(own.root, "00", A);
            for (const [which, length] of cuts) {
              const names = readdirSync(folder);
              const path = join(folder, names[which % names.length] ?? "");
              truncateSync(path, length % (statSync(path).size + 1));
            }
            const after = own.open({ segmentBytes });
            const size = await after.size(A);
            expect(log.subarray(0, size).equals(await after.read(A, 0, 5000))).toBe(true);
            if (cuts.length === 0) expect(size).toBe(log.length);
            await fill(after, size);
            await after.close();
            const again = own.open();
            expect(log.equals(await again.read(A, 0, 5000))).toBe(true);
          } finally {
            await own.clean();
          }
        },
      ),
      { numRuns: 80 },
    );
  });

  test("[L3] a file that something else cut while it was in use is an error, not a gap", async () => {
    const store = files.open();
    await store.append(A, 0, bytes("abcdef"));
    truncateSync(segmentPath(named(0)), 2);
    expect(await text(store).catch(String)).toMatch(/cut to 2 bytes by something else/);
  });
});

describe("the folder", () => {
  test("[L7] only an attempt's id becomes a path, and only the control plane's user may look", async () => {
    const store = files.open();
    mkdirSync(join(files.root, "secret"));
    for (const name of [
      "../secret",
      "secret",
      "",
      "a_",
      "a_../../etc",
      "a_000000000\0",
      "A_0000000001",
      "j_0000000001",
      `${A}\n`,
    ]) {
      await expect(store.size(name)).rejects.toThrow("not the id of an attempt");
      await expect(store.append(name, 0, bytes("x"))).rejects.toThrow("not the id of an attempt");
      await expect(store.read(name, 0, 1)).rejects.toThrow("not the id of an attempt");
      await expect(store.remove(name)).rejects.toThrow("not the id of an attempt");
    }
    expect(readdirSync(files.root)).toEqual(["secret"]);
    await store.append(B, 0, bytes("x"));
    expect(statSync(join(files.root, "7k", B)).mode & 0o777).toBe(0o700);
    expect(statSync(segmentPath(named(0), B)).mode & 0o777).toBe(0o600);
  });
});

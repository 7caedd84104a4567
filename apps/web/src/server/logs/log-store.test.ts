import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findTail } from "./find-tail.ts";
import { createLogStore } from "./log-store.ts";

const A = "a_0000000001";
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (read: Uint8Array) => new TextDecoder().decode(read);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nexus-logs-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the store", () => {
  test("[L1] bytes are stored only at the present size", async () => {
    const store = createLogStore({ folder });
    expect(await store.append(A, 0, bytes("hello"))).toBe(5);
    expect(await store.append(A, 0, bytes("again"))).toBe(5);
    expect(await store.append(A, 9, bytes("gap"))).toBe(5);
    expect(await store.append(A, 5, bytes(" you"))).toBe(9);
    expect(text(await store.read(A, 0, 100))).toBe("hello you");
    await store.close();
  });

  test("[L1] appends that race store one of them", async () => {
    const store = createLogStore({ folder });
    await Promise.all([store.append(A, 0, bytes("one")), store.append(A, 0, bytes("two"))]);
    expect(text(await store.read(A, 0, 100))).toBe("one");
    await store.close();
  });

  test("[L2] [L3] whatever is appended reads back at any offset, across segments and restarts", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 12 }),
        fc.nat(400),
        fc.nat(400),
        async (chunks, from, limit) => {
          const own = mkdtempSync(join(folder, "x"));
          let store = createLogStore({ folder: own, segmentBytes: 37, openFilesMax: 2 });
          let size = 0;
          for (const [i, chunk] of chunks.entries()) {
            size = await store.append(A, size, chunk);
            if (i % 3 !== 2) continue;
            await store.close();
            store = createLogStore({ folder: own, segmentBytes: 37, openFilesMax: 2 });
          }
          const whole = Buffer.concat(chunks);
          expect(size).toBe(whole.length);
          expect(await store.size(A)).toBe(whole.length);
          expect(Buffer.from(await store.read(A, from, limit))).toEqual(
            Buffer.from(whole.subarray(from, from + limit)),
          );
          await store.close();
        },
      ),
      { numRuns: 40 },
    );
  });

  test("[L3] a torn segment shortens the log, and what lies beyond it is written again", async () => {
    let store = createLogStore({ folder, segmentBytes: 4 });
    await store.append(A, 0, bytes("abcdefghij"));
    await store.close();
    truncateSync(join(folder, "01", `${A}.1`), 2);
    store = createLogStore({ folder, segmentBytes: 4 });
    expect(await store.size(A)).toBe(6);
    expect(await store.append(A, 6, bytes("GHI"))).toBe(9);
    await store.close();
    store = createLogStore({ folder, segmentBytes: 4 });
    expect(text(await store.read(A, 0, 100))).toBe("abcdefGHI");
    await store.close();
  });

  test("[L4] any number of logs is written with few open files", async () => {
    const store = createLogStore({ folder, openFilesMax: 3 });
    const ids = Array.from({ length: 40 }, (_, i) => `a_00000000${String(i).padStart(2, "0")}`);
    await Promise.all(ids.map((id) => store.append(id, 0, bytes(id))));
    const open = readdirSync("/proc/self/fd").filter((fd) => {
      try {
        return statSync(`/proc/self/fd/${fd}`).isFile() && statSync(`/proc/self/fd/${fd}`).size === 12;
      } catch {
        return false;
      }
    });
    expect(open.length).toBeLessThanOrEqual(3);
    for (const id of ids) expect(text(await store.read(id, 0, 50))).toBe(id);
    await store.close();
  });

  test.runIf(process.platform === "linux")(
    "[L5] a full disk is disk_full, and the rest fits later",
    async () => {
      const store = createLogStore({ folder });
      await store.append(A, 0, bytes("kept"));
      // The one device that is always full.
      rmSync(join(folder, "01"), { recursive: true });
      const { symlinkSync, mkdirSync } = await import("node:fs");
      mkdirSync(join(folder, "01"));
      symlinkSync("/dev/full", join(folder, "01", "a_0000000101.0"));
      const refused = await store.append("a_0000000101", 0, bytes("lost")).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(NexusError);
      expect((refused as NexusError).code).toBe("disk_full");
      expect(await store.size("a_0000000101")).toBe(0);
      rmSync(join(folder, "01", "a_0000000101.0"));
      await store.remove("a_0000000101");
      expect(await store.append("a_0000000101", 0, bytes("later"))).toBe(5);
      await store.close();
    },
  );

  test("[L5] what is synced and removed is gone, and can begin again", async () => {
    const store = createLogStore({ folder, segmentBytes: 4 });
    await store.append(A, 0, bytes("abcdefgh"));
    await store.sync(A);
    await store.remove(A);
    expect(await store.size(A)).toBe(0);
    expect(readdirSync(join(folder, "01"))).toEqual([]);
    expect(await store.append(A, 0, bytes("new"))).toBe(3);
    await store.close();
  });

  test("[L7] a name that is no attempt's is refused", async () => {
    const store = createLogStore({ folder });
    writeFileSync(join(folder, "secret.0"), "x");
    for (const name of ["../secret", "secret", "a_", "a_../../etc", "j_0000000001"]) {
      await expect(async () => await store.size(name)).rejects.toThrow(NexusError);
    }
    await store.close();
  });
});

describe("the tail", () => {
  const tail = (log: Uint8Array, lines: number) =>
    findTail({
      size: log.length,
      lines,
      read: async (offset, limit) => log.subarray(offset, offset + limit),
    });

  test("[L6] the last lines begin after the newline before them", async () => {
    expect(await tail(bytes("a\nb\nc\n"), 1)).toBe(4);
    expect(await tail(bytes("a\nb\nc"), 1)).toBe(4);
    expect(await tail(bytes("a\nb\nc\n"), 2)).toBe(2);
    expect(await tail(bytes("a\nb\nc\n"), 3)).toBe(0);
    expect(await tail(bytes("a\nb\nc\n"), 30)).toBe(0);
    expect(await tail(bytes("\n\n\n"), 1)).toBe(2);
    expect(await tail(bytes(""), 5)).toBe(0);
    expect(await tail(bytes("a\n"), 0)).toBe(2);
  });

  test("[L6] lines longer than a block, and logs of many blocks, are found too", async () => {
    const long = Buffer.alloc(200_000, "x");
    long[50_000] = 10;
    long[199_999] = 10;
    expect(await tail(long, 1)).toBe(50_001);
    const many = bytes("0123456789\n".repeat(30_000));
    expect(await tail(many, 20_000)).toBe(10_000 * 11);
  });
});

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import { afterEach, describe, expect, test } from "vitest";
import { diskProblem } from "./disk-problem.ts";
import { createSegmentLogStore } from "./segment-log-store.ts";
import { canMount, mountCuttableDisk, mountDisk, mountThinDisk } from "./testing/small-disk.ts";
import { pattern } from "./testing/test-store.ts";

const KIB = 1024;
const MIB = KIB * KIB;
const A = "a_0000000001";
const B = "a_0000000002";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

function openStore(options: Parameters<typeof createSegmentLogStore>[0]) {
  const store = createSegmentLogStore(options);
  cleanups.push(() => store.close());
  return store;
}

const refusalOf = async (work: Promise<unknown>) => {
  const error = await work.then(() => null).catch((refusal: unknown) => refusal);
  expect(error).toBeInstanceOf(NexusError);
  return error as NexusError;
};

// tidy-allow skip: mounts a disk, for which a machine must let its user be root
describe.skipIf(!canMount())("a real small disk", () => {
  test("[L4] a full disk refuses an append whole, keeps no torn byte, and takes the next when there is room", async () => {
    const disk = mountDisk("size=1m");
    cleanups.push(() => disk.unmount());
    const root = join(disk.path, "logs");
    const store = openStore({ root });
    const log = pattern(900 * KIB, 1);
    await store.append(B, 0, pattern(200 * KIB, 2));
    let size = 0;
    for (; size < 600 * KIB; size += 300 * KIB)
      await store.append(A, size, log.subarray(size, size + 300 * KIB));

    const last = log.subarray(size);
    const refusal = await refusalOf(store.append(A, size, last));
    expect(refusal.code).toBe("disk_full");
    expect(refusal.message).toContain(root);
    expect(refusal.message).toMatch(/Free some space/);
    expect(await store.size(A)).toBe(size);
    expect(fileSizes(join(root, "00", A))).toEqual([size]);
    // A new log finds no room either, and a small append still fits.
    expect((await refusalOf(store.append("a_0000000003", 0, last))).code).toBe("disk_full");
    expect(await store.append(A, size, last.subarray(0, 8 * KIB))).toBe(size + 8 * KIB);
    expect(Buffer.from(await store.read(A, 0, MIB)).equals(log.subarray(0, size + 8 * KIB))).toBe(true);

    await store.remove(B);
    expect(await store.append(A, size + 8 * KIB, last.subarray(8 * KIB))).toBe(log.length);
    await store.sync(A);
    await store.close();
    const again = openStore({ root });
    expect(await again.size(A)).toBe(log.length);
    expect(Buffer.from(await again.read(A, 0, MIB)).equals(log)).toBe(true);
    expect(await again.size("a_0000000003")).toBe(0);
  });

  test("[L4] a read-only disk refuses in words of its own, and is still read", async () => {
    const disk = mountDisk("size=1m,ro");
    cleanups.push(() => disk.unmount());
    const store = openStore({ root: disk.path });
    expect(await store.size(A)).toBe(0);
    const refusal = await refusalOf(store.append(A, 0, pattern(KIB, 1)));
    expect(refusal.code).toBe("disk_full");
    expect(refusal.message).toContain("read-only");
    expect(refusal.message).toContain(disk.path);
  });

  test("[L9] what was synced is there after a power cut, with its folders; the rest is a prefix", async () => {
    const disk = mountCuttableDisk();
    cleanups.push(() => disk.unmount());
    const store = openStore({ root: join(disk.path, "logs"), segmentBytes: 300 * KIB });
    const log = pattern(900 * KIB, 1);
    const append = async (attempt: string, from: number, to: number) => {
      for (let at = from; at < to; at += 100 * KIB) {
        await store.append(attempt, at, log.subarray(at, at + 100 * KIB));
      }
    };
    await append(A, 0, 500 * KIB);
    await append(B, 0, 700 * KIB);
    // Two at once: neither may return before the folders are safe too.
    await Promise.race([store.sync(A), store.sync(A)]);
    await append(A, 500 * KIB, 700 * KIB);

    const cut = disk.afterPowerCut();
    cleanups.push(() => cut.unmount());
    const found = openStore({ root: join(cut.path, "logs") });
    expect(await found.size(A)).toBeGreaterThanOrEqual(500 * KIB);
    for (const attempt of [A, B]) {
      const bytes = await found.read(attempt, 0, MIB);
      expect(log.subarray(0, bytes.byteLength).equals(bytes)).toBe(true);
    }
  });

  test("[L9] what cannot be made durable is given up, and taken again from where the log is safe", async () => {
    const disk = mountThinDisk();
    cleanups.push(() => disk.unmount());
    const problems: string[] = [];
    const root = join(disk.path, "logs");
    const store = openStore({ root, segmentBytes: MIB, onProblem: (message) => problems.push(message) });
    const log = pattern(12 * MIB, 3);
    const append = async (from: number, to: number) => {
      for (let at = from; at < to; at += 256 * KIB)
        await store.append(A, at, log.subarray(at, at + 256 * KIB));
    };
    await append(0, MIB);
    await store.sync(A);
    await append(MIB, log.length);
    expect(await store.size(A)).toBe(log.length);

    await refusalOf(store.sync(A));
    const safe = await store.size(A);
    expect(safe).toBeGreaterThanOrEqual(MIB);
    expect(safe).toBeLessThan(log.length);
    expect(problems.join()).toContain(`its log ends at ${safe} again`);
    expect(fileSizes(join(root, "00", A)).reduce((sum, size) => sum + size)).toBe(safe);

    disk.makeRoom();
    await append(safe, log.length);
    await store.sync(A);
    await store.close();
    const again = openStore({ root });
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < log.length; at += 4 * MIB) pieces.push(await again.read(A, at, 4 * MIB));
    expect(Buffer.concat(pieces).equals(log)).toBe(true);
  });
});

test("[L4] each way of having no room is named, with the folder and what to do", () => {
  const failed = (code: string) => Object.assign(new Error(`${code}: no`), { code });
  const sentence = (code: string) => {
    const problem = diskProblem(failed(code), "/data/logs");
    expect(problem).toMatchObject({ code: "disk_full" });
    return problem.message;
  };
  expect(sentence("ENOSPC")).toMatch(/\/data\/logs is full\. Free/);
  expect(sentence("EDQUOT")).toMatch(/quota for \/data\/logs is used up\. Raise/);
  expect(sentence("EROFS")).toMatch(/\/data\/logs is mounted read-only\. Mount/);
  const other = diskProblem(failed("EIO"), "/data/logs");
  expect(other).not.toBeInstanceOf(NexusError);
  expect(other.message).toContain("/data/logs");
  expect(other.cause).toMatchObject({ code: "EIO" });
});

function fileSizes(folder: string): number[] {
  return readdirSync(folder)
    .sort()
    .map((name) => statSync(join(folder, name)).size);
}

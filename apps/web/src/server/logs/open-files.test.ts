import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createOpenFiles } from "./open-files.ts";
import { createTestStore, pattern } from "./testing/test-store.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nexus-files-"));
  for (const name of ["a", "b", "c"]) writeFileSync(join(folder, name), name);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const reading = (name: string) => ({ path: join(folder, name), how: "read" as const });
const read = async (handle: { readFile(): Promise<Buffer> }) => (await handle.readFile()).toString();
test("[L6] who asks for one file more than there is room waits, in the order of asking", async () => {
  const files = createOpenFiles(1);
  const order: string[] = [];
  const hold = Promise.withResolvers<void>();
  const aIsLent = Promise.withResolvers<void>();
  const uses = [files.use(reading("a"), () => hold.promise)];
  for (const name of ["b", "c", "a"]) {
    uses.push(
      files.use(reading(name), async () => {
        order.push(name);
        if (name === "a") aIsLent.resolve();
      }),
    );
  }
  await aIsLent.promise;
  // The file that is open is lent to whoever asks for it, without room.
  expect(order).toEqual(["a"]);
  hold.resolve();
  await Promise.all(uses);
  expect(order).toEqual(["a", "b", "c"]);
  await files.close();
});

test("[L6] a file that cannot be opened takes no room and is tried again", async () => {
  const files = createOpenFiles(1);
  for (let attempt = 0; attempt < 3; attempt++) {
    await expect(files.use(reading("missing"), read)).rejects.toMatchObject({ code: "ENOENT" });
  }
  writeFileSync(join(folder, "missing"), "here now");
  expect(await files.use(reading("missing"), read)).toBe("here now");
  await expect(files.use(reading("a"), () => Promise.reject(new Error("the work failed")))).rejects.toThrow(
    "the work failed",
  );
  expect(await files.use(reading("b"), read)).toBe("b");
  await files.close();
});

test("[L6] a forgotten file is closed with its last user, and opened anew for the next", async () => {
  const files = createOpenFiles(2);
  const hold = Promise.withResolvers<void>();
  const isOpen = Promise.withResolvers<void>();
  const first = files.use(reading("a"), async (handle) => {
    isOpen.resolve();
    await hold.promise;
    return await read(handle);
  });
  await isOpen.promise;
  const forgotten = files.forget(join(folder, "a"));
  rmSync(join(folder, "a"));
  writeFileSync(join(folder, "a"), "another");
  expect(await files.use(reading("a"), read)).toBe("another");
  hold.resolve();
  expect(await first).toBe("a");
  await forgotten;
  await files.close();
  await expect(files.use(reading("b"), read)).rejects.toThrow("closed");
});

test("[L6] closing refuses those who wait for room", async () => {
  const files = createOpenFiles(1);
  const hold = Promise.withResolvers<void>();
  const user = files.use(reading("a"), () => hold.promise);
  const waiting = Promise.allSettled(["b", "c"].map((name) => files.use(reading(name), read)));
  const closed = files.close();
  hold.resolve();
  await Promise.all([user, closed]);
  expect((await waiting).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
});

// tidy-allow skip: counts open files in /proc, which only Linux has
describe.skipIf(!existsSync("/proc/self/fd"))("counted by the kernel", () => {
  test("[L6] hundreds of logs are written, read and synced with no more open files than allowed, and none in the end", async () => {
    const openFilesMax = 6;
    const files = createTestStore();
    const store = files.open({ segmentBytes: 300, openFilesMax });
    const openNow = () =>
      readdirSync("/proc/self/fd").filter((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`).startsWith(files.root);
        } catch {
          return false;
        }
      }).length;
    let most = 0;
    const attempts = Array.from({ length: 200 }, (_, n) => `a_${String(n).padStart(10, "0")}`);
    await Promise.all(
      attempts.map(async (attempt, seed) => {
        const log = pattern(1000, seed);
        for (let at = 0; at < log.length; at += 200) {
          await store.append(attempt, at, log.subarray(at, at + 200));
          most = Math.max(most, openNow());
        }
        expect(log.equals(await store.read(attempt, 0, 1000))).toBe(true);
        if (seed % 20 === 0) await store.sync(attempt);
        if (seed % 30 === 0) await store.remove(attempt);
        most = Math.max(most, openNow());
      }),
    );
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(openFilesMax);
    await store.close();
    expect(openNow()).toBe(0);
    await files.clean();
  });
});

import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { LogStore } from "../../services/ports.ts";
import { createLogSearch } from "../log-search.ts";
import { createSegmentLogStore } from "../segment-log-store.ts";
import { createTestS3Store, type S3Server, startS3Server, type TestS3Store } from "../testing/s3-server.ts";
import { pattern } from "../testing/test-store.ts";
import { createS3Objects } from "./s3-objects.ts";

const A = "a_0000000001";
const B = "a_7kzzzzzzzz";
const PIECE = 1000;

let server: S3Server;
beforeAll(async () => {
  server = await startS3Server();
});
afterAll(() => server.clean());

let home: TestS3Store;
beforeEach(() => {
  home = createTestS3Store(server);
});
afterEach(() => home.clean());

const filesOf = (attempt = A, root = home.root) => {
  const folder = join(root, attempt.slice(2, 4), attempt);
  return existsSync(folder) ? readdirSync(folder).sort() : [];
};
const named = (from: number, to: number) =>
  `00/${A}/${String(from).padStart(16, "0")}-${String(to).padStart(16, "0")}.log`;

async function fill(store: LogStore, log: Buffer, { from = 0, step = 100 } = {}): Promise<void> {
  for (let at = from; at < log.length; at += step) {
    const piece = log.subarray(at, at + step);
    expect(await store.append(A, at, piece)).toBe(at + piece.length);
  }
}

async function expectLog(store: LogStore, log: Buffer): Promise<void> {
  expect(await store.size(A)).toBe(log.length);
  expect(log.equals(await store.read(A, 0, log.length + 1))).toBe(true);
}

async function until(isSo: () => boolean): Promise<void> {
  await expect.poll(isSo, { interval: 5 }).toBe(true);
}

test("[L29] a log moves into the bucket as it grows, whole when it is synced, and leaves no file", async () => {
  const store = await home.open({ pieceBytes: PIECE });
  const log = pattern(3500, 1);
  await fill(store, log);
  await until(() => filesOf().length === 1);
  expect(await home.keys()).toEqual([named(0, 1000), named(1000, 2000), named(2000, 3000)]);
  await expectLog(store, log);
  await store.sync(A);
  expect(filesOf()).toEqual([]);
  expect((await home.keys()).at(-1)).toBe(named(3000, 3500));
  await expectLog(store, log);
  // It may grow on.
  const longer = Buffer.concat([log, pattern(2500, 2)]);
  await fill(store, longer, { from: log.length });
  await store.sync(A);
  await expectLog(store, longer);
  expect(home.problems).toEqual([]);
});

test("[L29] another control plane with a home of its own reads what was synced, and is sent the rest again", async () => {
  const log = pattern(2300, 3);
  const first = await home.open({ pieceBytes: PIECE });
  await fill(first, log.subarray(0, 1700));
  await first.sync(A);
  await fill(first, log.subarray(0, 1900), { from: 1700 });
  await first.close();
  const root = join(home.root, "other");
  const second = await home.open({ pieceBytes: PIECE, root });
  await expectLog(second, log.subarray(0, 1700));
  await fill(second, log, { from: 1700 });
  await second.sync(A);
  await second.close();
  // The first one comes back with a tail that is in the bucket by now.
  const again = await home.open({ pieceBytes: PIECE });
  await expectLog(again, log);
  await until(() => filesOf().length === 0);
  await expectLog(again, log);
});

test("[L29] tail, line numbers and search work over objects, however many answers name them", async () => {
  const lines = Array.from({ length: 400 }, (_, n) => `step ${n} loss ${n % 7}\n`);
  const log = Buffer.from(lines.join(""));
  const writing = await home.open({ pieceBytes: 300 });
  await fill(writing, log);
  await writing.sync(A);
  await writing.close();
  const store = await home.open({ pageMax: 4 });
  await expectLog(store, log);
  const last = log.indexOf("step 390 ");
  expect(await store.tailOffset(A, 10)).toBe(last);
  expect(await store.linesBefore(A, last)).toBe(390);
  const found: number[] = [];
  const read = (offset: number, limit: number) => store.read(A, offset, limit);
  const searched = { size: log.length, start: async () => ({ offset: 0, line: 0 }), read };
  const query = {
    pattern: "step 39\\d loss 6",
    isFixed: false,
    ignoresCase: false,
    contextLines: 0,
    linesMax: 100,
    isTextWanted: true,
  };
  const reader = { user: "ann", signal: new AbortController().signal };
  const pieces = createLogSearch().search(searched, query, reader);
  for await (const piece of pieces) found.push(...piece.lines.map(({ line }) => line));
  expect(found.length).toBe(lines.filter((line) => /step 39\d loss 6/.test(line)).length);
});

test("[L29] logs in files move into the bucket when one is given", async () => {
  const log = pattern(2500, 4);
  const files = createSegmentLogStore({ root: home.root, segmentBytes: PIECE });
  await fill(files, log);
  await files.close();
  const store = await home.open({ pieceBytes: PIECE });
  await until(() => filesOf().length === 0);
  await expectLog(store, log);
});

test("[L30] killed between storing and removing, or before either, the log is the same and no file is left", async () => {
  const log = pattern(2600, 5);
  const store = await home.open({ pieceBytes: PIECE });
  await fill(store, log);
  await store.close();
  const before = join(tmpdir(), `nexus-before-${process.pid}`);
  cpSync(home.root, before, { recursive: true });
  const next = await home.open({ pieceBytes: PIECE });
  await next.sync(A);
  await next.close();
  expect(filesOf()).toEqual([]);
  cpSync(before, home.root, { recursive: true });
  rmSync(before, { recursive: true });
  expect(filesOf().length).toBeGreaterThan(0);
  const after = await home.open({ pieceBytes: PIECE });
  await expectLog(after, log);
  await until(() => filesOf().length === 0);
  const longer = Buffer.concat([log, pattern(500, 6)]);
  await fill(after, longer, { from: log.length });
  await after.sync(A);
  await expectLog(after, longer);
});

test("[L30] a hole in the bucket ends the log and is told; the node sends the rest again", async () => {
  const log = pattern(3000, 7);
  const store = await home.open({ pieceBytes: PIECE });
  await fill(store, log);
  await store.sync(A);
  await store.close();
  const objects = createS3Objects({ ...home.settings, signal: new AbortController().signal });
  await objects.remove(named(1000, 2000));
  const after = await home.open({ pieceBytes: PIECE });
  await expectLog(after, log.subarray(0, 1000));
  expect(home.problems.join()).toMatch(/hole in the log of a_0000000001 at byte 1000/);
  await fill(after, log, { from: 1000 });
  await after.sync(A);
  await expectLog(after, log);
});

test("[L31] while the bucket is away logs go on here up to a limit, what is there is refused and not shown as empty, and all moves later", async () => {
  const log = pattern(5000, 8);
  const store = await home.open({ pieceBytes: PIECE, localBytesMax: 3500 });
  await fill(store, log.subarray(0, 1000));
  await store.sync(A);
  expect(store.problem()).toBeNull();
  await server.kill();
  await expect(store.read(A, 0, 10)).rejects.toMatchObject({ code: "unavailable" });
  await fill(store, log.subarray(0, 3000), { from: 1000 });
  expect(log.subarray(1500, 3000).equals(await store.read(A, 1500, 2000))).toBe(true);
  await expect(store.read(A, 500, 1000)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("The bucket nexus-logs at http://127.0.0.1"),
  });
  await expect(store.sync(A)).rejects.toMatchObject({ code: "unavailable" });
  // Of this log nothing is known, and only its node can say that it begins.
  await expect(store.size(B)).rejects.toMatchObject({ code: "unavailable" });
  await expect(store.append(B, 7, Buffer.from("x"))).rejects.toMatchObject({ code: "unavailable" });
  expect(await store.append(B, 0, Buffer.from("begins"))).toBe(6);
  expect(store.problem()).toMatchObject({
    code: "log_bucket_away",
    message: expect.stringMatching(/cannot be moved into the bucket nexus-logs .*1 MiB of at most 1 MiB/),
  });
  await fill(store, log.subarray(0, 4400), { from: 3000 });
  await expect(store.append(A, 4400, log.subarray(4400, 5000))).rejects.toMatchObject({
    code: "disk_full",
    message: expect.stringContaining("NEXUS_LOG_LOCAL_GIB"),
  });
  expect(await store.size(A)).toBe(4400);
  // A start while it is away goes on with what is here.
  await store.close();
  const again = await home.open({ pieceBytes: PIECE, localBytesMax: 4500 });
  expect(await again.size(A)).toBe(4400);
  await fill(again, log.subarray(0, 4600), { from: 4400 });
  await server.start();
  await until(() => again.problem() === null && filesOf(A).length === 0 && filesOf(B).length === 0);
  await fill(again, log, { from: 4600 });
  await again.sync(A);
  await expectLog(again, log);
  expect(Buffer.from(await again.read(B, 0, 9)).toString()).toBe("begins");
});

test("[L31] a bucket that does not answer is given up in time, and closing does not wait for it", async () => {
  const hangs = await home.open({ pieceBytes: PIECE, timeoutMs: 200 });
  await fill(hangs, pattern(500, 9));
  await hangs.sync(A);
  server.pause();
  await expect(hangs.read(A, 0, 10)).rejects.toThrow("no answer in time");
  await hangs.close();
  server.resume();
});

test("[L32] a bucket, a key or a secret that is refused ends the start with what to do, and no secret is told", async () => {
  const secretAccessKey = "not-the-secret-0123456789";
  const opening = async (change: object) =>
    await home.open(change).then(
      () => "opened",
      (error: unknown) => `${error} ${JSON.stringify(error)}`,
    );
  expect(await opening({ bucket: "nobody-made" })).toMatch(/NoSuchBucket.*Make the bucket nobody-made/);
  expect(await opening({ accessKeyId: "UNKNOWN" })).toMatch(/does not know NEXUS_S3_ACCESS_KEY_ID/);
  const wrong = await opening({ secretAccessKey });
  expect(wrong).toMatch(/NEXUS_S3_SECRET_ACCESS_KEY is not the one/);
  expect(wrong).not.toContain(secretAccessKey);
  expect(home.problems).toEqual([]);
});

test("[L32] trying the bucket leaves nothing there", async () => {
  mkdirSync(home.root, { recursive: true });
  await home.open();
  expect(await home.keys()).toEqual([]);
});

test("[L9] what is removed is gone from the bucket too, and others stay", async () => {
  const store = await home.open({ pieceBytes: PIECE });
  await fill(store, pattern(2500, 10));
  await store.append(B, 0, Buffer.from("stays"));
  await Promise.all([store.sync(A), store.sync(B)]);
  await store.remove(A);
  expect((await home.keys()).every((key) => key.includes(B))).toBe(true);
  expect(await store.size(A)).toBe(0);
  expect(await store.size(B)).toBe(5);
});

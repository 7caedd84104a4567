import { appendFile, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLogTimes } from "./log-times.ts";
import { createSegmentLogStore } from "./segment-log-store.ts";

const ATTEMPT = "a_0123456789";

describe("the time of a log's bytes", () => {
  let root: string;
  let nowMs = 0;
  const problems: string[] = [];
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "nexus-times-"));
    nowMs = 0;
    problems.length = 0;
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  function open() {
    const times = createLogTimes({
      root: join(root, "times"),
      nowMs: () => nowMs,
      onProblem: (message) => problems.push(message),
    });
    return { times, store: times.over(createSegmentLogStore({ root: join(root, "logs") })) };
  }

  it("[A27] a place in the log is found by time, also after a restart, within a second", async () => {
    const { store } = open();
    let size = 0;
    for (const atMs of [0, 400, 1000, 60_000, 60_999, 61_000]) {
      nowMs = atMs;
      size = await store.append(ATTEMPT, size, Buffer.alloc(10));
    }
    await store.close();
    const { times } = open();
    const found = [-5000, 0, 999, 1000, 1999, 2000, 30_000, 60_999, 61_000].map((atMs) =>
      times.offsetAt(ATTEMPT, atMs),
    );
    expect(await Promise.all(found)).toEqual([0, 0, 0, 20, 20, 30, 30, 30, 50]);
    expect(await times.offsetAt(ATTEMPT, 62_000)).toBeGreaterThan(size);
    expect(problems).toEqual([]);
  });

  it("[A27] nothing known means from the beginning; a torn record is not read", async () => {
    const { times, store } = open();
    expect(await times.offsetAt(ATTEMPT, 5000)).toBe(0);
    await store.append(ATTEMPT, 0, Buffer.alloc(10));
    await times.offsetAt(ATTEMPT, 0);
    await appendFile(join(root, "times", "89", `${ATTEMPT}.times`), Buffer.alloc(7, 255));
    expect(await times.offsetAt(ATTEMPT, 0)).toBe(0);
    await store.remove(ATTEMPT);
    expect(await readdir(join(root, "times", "89"))).toEqual([]);
    await store.close();
  });

  it("[A27] a log is written also where its times cannot be", async () => {
    const times = createLogTimes({
      root: "/dev/null/nowhere",
      nowMs: () => nowMs,
      onProblem: (message) => problems.push(message),
    });
    const store = times.over(createSegmentLogStore({ root: join(root, "logs") }));
    expect(await store.append(ATTEMPT, 0, Buffer.from("abc"))).toBe(3);
    await store.close();
    expect(problems).toHaveLength(1);
  });
});

import { describe, expect, it } from "vitest";
import { createLogFeed, type LogFeed, type LogSource, WHOLE_BYTES_MAX } from "./log-feed.ts";
import { WINDOW_ROWS_MAX } from "./log-window.ts";

/** A log in memory that answers like the server: short reads, gone ranges, failures on demand. */
class MemoryLog implements LogSource {
  bytes: Uint8Array;
  ended = false;
  failNext = 0;
  goneBefore = 0;
  answerMax = 300_000;
  reads = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  async read(offset: number, limit: number) {
    this.reads++;
    if (this.failNext > 0) {
      this.failNext--;
      throw new Error("connection refused");
    }
    const from = Math.max(offset, this.goneBefore);
    const bytes = this.bytes.slice(from, Math.min(offset + limit, from + this.answerMax));
    return { offset: from, bytes, size: this.bytes.length, ended: this.ended };
  }
}

const numbered = (lines: number) =>
  new TextEncoder().encode(Array.from({ length: lines }, (_, index) => `line ${index + 1}\n`).join(""));

function until(feed: LogFeed, claim: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    if (claim()) return resolve();
    const stop = feed.subscribe(() => {
      if (!claim()) return;
      stop();
      resolve();
    });
  });
}

function textAt(feed: LogFeed, index: number): string {
  const { window } = feed.state();
  const row = window.row(index);
  return row?.kind === "text" ? window.text(row) : (row?.kind ?? "nothing");
}

describe("log feed", () => {
  it("reads a whole small log, then what is added", async () => {
    const log = new MemoryLog(numbered(1000));
    const feed = createLogFeed(log, { size: log.bytes.length, ended: false });
    await until(feed, () => feed.state().window.end === log.bytes.length);
    expect(feed.state().window.rowCount).toBe(1000);
    log.bytes = numbered(1001);
    feed.setSize(log.bytes.length, false);
    await until(feed, () => feed.state().window.end === log.bytes.length);
    expect(textAt(feed, 1000)).toBe("line 1001");
    feed.close();
  });

  it("begins a large log at its tail and goes back on demand, over short reads, without a gap", async () => {
    const log = new MemoryLog(numbered(1_500_000));
    log.ended = true;
    expect(log.bytes.length).toBeGreaterThan(WHOLE_BYTES_MAX);
    const feed = createLogFeed(log, { size: log.bytes.length, ended: true });
    await until(feed, () => feed.state().window.end === log.bytes.length);
    const start = feed.state().window.start;
    expect(start).toBeGreaterThan(0);
    expect(textAt(feed, feed.state().window.rowCount - 1)).toBe("line 1500000");
    feed.loadEarlier();
    await until(feed, () => !feed.state().loadingEarlier);
    expect(feed.state().window.start).toBeLessThan(start);
    const { window } = feed.state();
    // Hundreds of thousands of rows: one claim of all of them.
    const kinds = new Set<string | undefined>();
    for (let index = 1; index < window.rowCount; index++) kinds.add(window.row(index)?.kind);
    expect([...kinds]).toEqual(["text"]);
    feed.close();
  });

  it("completes a log of some size backwards by itself, so that its lines have numbers", async () => {
    const log = new MemoryLog(numbered(400_000));
    expect(log.bytes.length).toBeLessThan(WHOLE_BYTES_MAX);
    const feed = createLogFeed(log, { size: log.bytes.length, ended: false });
    await until(feed, () => feed.state().window.start === 0);
    const { window } = feed.state();
    expect(window.rowCount).toBe(400_000);
    const row = window.row(399_999);
    expect(row && window.lineNumber(row)).toBe(400_000);
    feed.close();
  });

  it("shows a range that the server no longer has as missing", async () => {
    const log = new MemoryLog(numbered(100));
    log.goneBefore = 71;
    const feed = createLogFeed(log, { size: log.bytes.length, ended: false });
    await until(feed, () => feed.state().window.end === log.bytes.length);
    expect(feed.state().window.row(0)).toMatchObject({ kind: "gap", start: 0, end: 71 });
    expect(textAt(feed, 1)).toBe("line 11");
    feed.close();
  });

  it("keeps what it has while reads fail, says so, and goes on", async () => {
    const log = new MemoryLog(numbered(10));
    const feed = createLogFeed(log, { size: log.bytes.length, ended: false });
    await until(feed, () => feed.state().window.rowCount === 10);
    log.bytes = numbered(20);
    log.failNext = 1;
    feed.setSize(log.bytes.length, true);
    await until(feed, () => feed.state().trouble !== null);
    expect(feed.state().window.rowCount).toBe(10);
    feed.retryNow();
    await until(feed, () => feed.state().trouble === null && feed.state().window.rowCount === 20);
    feed.close();
  });

  it("learns of a log that it was told is empty", async () => {
    const log = new MemoryLog(numbered(3));
    const feed = createLogFeed(log, { size: 0, ended: false });
    await until(feed, () => feed.state().window.rowCount === 3);
    feed.close();
  });

  it("brings a place in the middle of a large log into the window, however often it is asked for", async () => {
    const log = new MemoryLog(numbered(1_800_000));
    const feed = createLogFeed(log, { size: log.bytes.length, ended: true });
    feed.setFollowing(false);
    const middle = 12_000_000;
    for (let time = 0; time < 5; time++) feed.show(middle);
    const window = () => feed.state().window;
    await until(feed, () => window().start <= middle && window().end > middle);
    expect(window().start).toBeGreaterThan(0);
    expect(window().row(window().indexOf(middle))?.kind).toBe("text");
    feed.close();
  });

  it("jumps to the tail when a job has run far ahead of a follower", async () => {
    const log = new MemoryLog(numbered(10));
    const feed = createLogFeed(log, { size: log.bytes.length, ended: false });
    await until(feed, () => feed.state().window.rowCount === 10);
    log.bytes = numbered(1_500_000);
    feed.setSize(log.bytes.length, false);
    await until(feed, () => feed.state().window.end === log.bytes.length);
    expect(feed.state().window.start).toBeGreaterThan(0);
    expect(textAt(feed, feed.state().window.rowCount - 1)).toBe("line 1500000");
    feed.close();
  });

  it("[L26] of a log of short lines no more rows are held than a browser can draw, and every place is reached", async () => {
    const log = new MemoryLog(new TextEncoder().encode("123456\n".repeat(3_000_000)));
    log.answerMax = 1024 * 1024;
    const feed = createLogFeed(log, { size: log.bytes.length, ended: true });
    const { length: size } = log.bytes;
    const holds = (offset: number) => {
      const { window, loading } = feed.state();
      return !loading && window.start <= offset && offset <= window.end;
    };
    await until(feed, () => holds(size));
    feed.setFollowing(false);
    for (const offset of [7_000_000, 9_000_000, 0]) {
      feed.show(offset);
      await until(feed, () => holds(offset));
    }
    // On from the start to the end, as a reader who scrolls.
    while (!holds(size)) {
      await until(feed, () => feed.state().window.full || holds(size));
      const { end } = feed.state().window;
      feed.loadLater();
      await until(feed, () => feed.state().window.end > end || holds(size));
      expect(feed.state().window.rowCount).toBeLessThan(WINDOW_ROWS_MAX + 200_000);
    }
    feed.close();
  });

  it("[L20] the lines of a log whose beginning is not loaded are numbered as soon as the server told", async () => {
    const log = new MemoryLog(numbered(1_900_000));
    const asked: number[] = [];
    const source: LogSource = {
      read: (offset, limit) => log.read(offset, limit),
      async lineAt(offset) {
        asked.push(offset);
        let lines = 1;
        for (let at = log.bytes.indexOf(10); at !== -1 && at < offset; at = log.bytes.indexOf(10, at + 1))
          lines += 1;
        return lines;
      },
    };
    const feed = createLogFeed(source, { size: log.bytes.length, ended: true });
    const numberAt = (index: number) => {
      const { window } = feed.state();
      const row = window.row(index);
      return row === null ? null : window.lineNumber(row);
    };
    await until(feed, () => numberAt(feed.state().window.rowCount - 1) === 1_900_000);
    const { window } = feed.state();
    feed.setFollowing(false);
    feed.loadEarlier();
    await until(feed, () => !feed.state().loadingEarlier);
    expect(numberAt(window.rowCount - 1)).toBe(1_900_000);
    expect(textAt(feed, 1)).toBe(`line ${numberAt(1)}`);
    feed.show(5_000_000);
    await until(feed, () => numberAt(1) !== null);
    expect(textAt(feed, 1)).toBe(`line ${numberAt(1)}`);
    expect(asked).toHaveLength(2);
    feed.close();
  });
});

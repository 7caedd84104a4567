import { EventEmitter, once } from "node:events";
import { appendFile, mkdir, mkdtemp, readdir, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeFrame, encodeFrame } from "@nexus/shared/protocol/frame";
import { LOG_CHUNK_BYTES_MAX, LOG_WINDOW_BYTES } from "@nexus/shared/protocol/limits";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLogShipper, type LogShipper } from "./log-shipper.ts";

let folder: string;
let shipper: LogShipper;
let data: EventEmitter;
const troubles: string[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "nexus-log-"));
  data = new EventEmitter();
  troubles.length = 0;
  shipper = createLogShipper({
    onData: () => data.emit("data"),
    onTrouble: (attempt, error) => troubles.push(`${attempt}: ${String(error)}`),
    nowMs: () => performance.now(),
    lookEveryMs: 20,
  });
});
afterEach(async () => {
  await shipper.close();
  await rm(folder, { recursive: true, force: true });
});

const path = (attempt: string) => join(folder, attempt);
const file = (attempt: string) => ({ attempt, fence: 1, path: path(attempt) });

async function pullText(): Promise<{ attempt: string; offset: number; text: string }> {
  for (;;) {
    const frame = await shipper.pull();
    if (frame === null) await once(data, "data");
    else if (frame.message.type === "log") {
      const { attempt, offset } = frame.message;
      return { attempt, offset, text: Buffer.from(frame.payload).toString() };
    }
  }
}

/** How often this process has it open. */
async function openCount(name: string): Promise<number> {
  const links = await Promise.all(
    (await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")),
  );
  return links.filter((link) => link === name).length;
}

describe("log shipper", () => {
  it("[P56] no log stays open that was let go of while it was being read", async () => {
    for (const letGo of [() => shipper.forget("a_1"), () => shipper.detachAll(), () => shipper.close()]) {
      await writeFile(path("a_1"), "text");
      shipper.end("a_1", 4);
      shipper.attach(file("a_1"), 0);
      const pulling = shipper.pull();
      await letGo();
      await pulling;
      await expect.poll(() => openCount(path("a_1"))).toBe(0);
      shipper.forget("a_1");
    }
  });

  it("[L27] a secret does not leave, whole or in halves, and the end of the log brings what waited", async () => {
    await writeFile(path("a_m"), "key=hunt");
    shipper.attach({ ...file("a_m"), masks: () => ["hunter22"] }, 0);
    expect(await pullText()).toEqual({ attempt: "a_m", offset: 0, text: "key=" });
    expect(await shipper.pull()).toBeNull();
    const next = pullText();
    await appendFile(path("a_m"), "er22 and hunter");
    expect(await next).toEqual({ attempt: "a_m", offset: 4, text: "******** and " });
    const last = pullText();
    shipper.end("a_m", 23);
    expect(await last).toEqual({ attempt: "a_m", offset: 17, text: "hunter" });
    // Asked to go back into the midst of it, it sends the same bytes.
    shipper.ack("a_m", { logBytes: 7, rewind: true });
    expect(await pullText()).toEqual({ attempt: "a_m", offset: 7, text: "***** and hunter" });
  });

  it("[L27] of two secrets that share bytes both are hidden whole", async () => {
    await writeFile(path("a_o"), "x abcdefghi y");
    shipper.attach({ ...file("a_o"), masks: () => ["abcdef", "defghi"] }, 0);
    shipper.end("a_o", 13);
    expect(await pullText()).toEqual({ attempt: "a_o", offset: 0, text: "x ********* y" });
  });

  it("[P29] a chunk on its way keeps its bytes, and its memory holds the next once they have left", async () => {
    const chunk = (letter: string) => Buffer.alloc(LOG_CHUNK_BYTES_MAX, letter);
    await writeFile(path("a_b"), Buffer.concat(["a", "b", "c", "d"].map(chunk)));
    shipper.attach(file("a_b"), 0);
    shipper.end("a_b", 4 * LOG_CHUNK_BYTES_MAX);
    const pull = async () => (await shipper.pull()) ?? expect.fail("there is more");
    const frames = [await pull(), await pull()] as const;
    frames[0].release?.();
    const third = await pull();
    expect(third.payload.buffer).toBe(frames[0].payload.buffer);
    expect(Buffer.from(frames[1].payload).equals(chunk("b"))).toBe(true);
    expect(Buffer.from(third.payload).equals(chunk("c"))).toBe(true);
    // What may be overwritten around it is before it.
    const { message, payload, headroom } = third;
    const frame = decodeFrame(encodeFrame(message, payload, headroom));
    expect(frame.header).toEqual({ type: "log", attempt: "a_b", fence: 1, offset: 2 * LOG_CHUNK_BYTES_MAX });
    expect(Buffer.from(frame.payload).equals(chunk("c"))).toBe(true);
  });

  it("[L27] a log whose secrets cannot be read stays where it is", async () => {
    await writeFile(path("a_n"), "hunter22");
    const masks = () => {
      throw new Error("no masks");
    };
    shipper.attach({ ...file("a_n"), masks }, 0);
    await expect.poll(async () => (await shipper.pull()) ?? troubles).toEqual(["a_n: Error: no masks"]);
  });

  it("[P29] what was written before and what comes later is sent at its offsets", async () => {
    await writeFile(path("a_1"), "0123456789");
    shipper.attach(file("a_1"), 4);
    expect(await pullText()).toEqual({ attempt: "a_1", offset: 4, text: "456789" });
    const next = pullText();
    await appendFile(path("a_1"), "more");
    expect(await next).toEqual({ attempt: "a_1", offset: 10, text: "more" });
    shipper.end("a_1", 14);
    expect(shipper.isDone("a_1")).toBe(false);
    shipper.ack("a_1", { logBytes: 14, rewind: false });
    expect(shipper.isDone("a_1")).toBe(true);
  });

  it("[P29] a log whose file appears only after it was asked for is found", async () => {
    shipper.attach(file("a_2"), 0);
    const first = pullText();
    await writeFile(path("a_2"), "late");
    expect(await first).toEqual({ attempt: "a_2", offset: 0, text: "late" });
    expect(troubles).toEqual([]);
  });

  it("[P29] after a lost connection it goes on where the server stands, before or behind what was sent", async () => {
    await writeFile(path("a_3"), "0123456789");
    shipper.attach(file("a_3"), 0);
    expect((await pullText()).text).toBe("0123456789");
    const stale = shipper.pull();
    shipper.detachAll();
    expect(await stale).toBeNull();
    expect(await shipper.pull()).toBeNull();
    shipper.attach(file("a_3"), 7);
    expect(await pullText()).toEqual({ attempt: "a_3", offset: 7, text: "789" });
    shipper.ack("a_3", { logBytes: 2, rewind: true });
    expect(await pullText()).toEqual({ attempt: "a_3", offset: 2, text: "23456789" });
  });

  it("[P29] a new connection is told of what is left to send also when the job writes no more", async () => {
    await writeFile(path("a_q"), "all that it wrote");
    shipper.attach(file("a_q"), 0);
    expect((await pullText()).text).toBe("all that it wrote");
    shipper.detachAll();
    const told = once(data, "data");
    shipper.attach(file("a_q"), 9);
    await told;
    expect(await pullText()).toEqual({ attempt: "a_q", offset: 9, text: "it wrote" });
  });

  it("[P29] bytes that were read for a connection that is gone are not counted as sent", async () => {
    await writeFile(path("a_4"), "0123456789");
    shipper.attach(file("a_4"), 0);
    const reading = shipper.pull();
    shipper.detachAll();
    shipper.attach(file("a_4"), 0);
    expect(await reading).toBeNull();
    expect(await pullText()).toEqual({ attempt: "a_4", offset: 0, text: "0123456789" });
  });

  it("[P31] a log that is larger than the window does not keep a small one waiting", async () => {
    await writeFile(path("a_big"), Buffer.alloc(3 * LOG_WINDOW_BYTES, 120));
    await writeFile(path("a_small"), "small");
    shipper.attach(file("a_big"), 0);
    shipper.end("a_big", 3 * LOG_WINDOW_BYTES);
    shipper.attach(file("a_small"), 0);
    shipper.end("a_small", 5);
    const order = [(await pullText()).attempt, (await pullText()).attempt, (await pullText()).attempt];
    expect(order).toEqual(["a_big", "a_small", "a_big"]);
    for (let frame = await shipper.pull(); frame !== null; frame = await shipper.pull()) {
      expect(frame.payload.length).toBeGreaterThan(0);
    }
    shipper.ack("a_big", { logBytes: LOG_WINDOW_BYTES, rewind: false });
    expect((await pullText()).offset).toBe(LOG_WINDOW_BYTES);
  });

  it("[P36] without an answer for long everything on its way is sent again", async () => {
    await shipper.close();
    shipper = createLogShipper({
      onData: () => data.emit("data"),
      onTrouble: () => undefined,
      nowMs: () => performance.now(),
      lookEveryMs: 10,
      resendAfterMs: 30,
    });
    await writeFile(path("a_5"), "0123");
    shipper.attach(file("a_5"), 0);
    expect((await pullText()).offset).toBe(0);
    expect(await pullText()).toEqual({ attempt: "a_5", offset: 0, text: "0123" });
  });

  it("[P36] a log that cannot be read for a while is tried again in the same connection", async () => {
    await mkdir(path("a_8"));
    shipper.attach(file("a_8"), 2);
    shipper.end("a_8", 6);
    const next = pullText();
    await once(data, "data");
    await once(data, "data");
    expect(troubles).toEqual([expect.stringContaining("EISDIR")]);
    await rm(path("a_8"), { recursive: true });
    await writeFile(path("a_8"), "012345");
    expect(await next).toEqual({ attempt: "a_8", offset: 2, text: "2345" });
  });

  it("[P36] answers that repeat what is known do not put off the resend, however long the job writes on", async () => {
    await shipper.close();
    let nowMs = 0;
    shipper = createLogShipper({
      onData: () => data.emit("data"),
      onTrouble: () => undefined,
      nowMs: () => nowMs,
      lookEveryMs: 5,
      resendAfterMs: 1_000,
    });
    await writeFile(path("a_9"), "0123");
    shipper.attach(file("a_9"), 0);
    expect((await pullText()).offset).toBe(0);
    shipper.ack("a_9", { logBytes: 0, rewind: true });
    expect((await pullText()).offset).toBe(0);
    for (; nowMs < 900; nowMs += 100) shipper.ack("a_9", { logBytes: 0, rewind: true });
    nowMs = 1_001;
    expect(await pullText()).toEqual({ attempt: "a_9", offset: 0, text: "0123" });
  });

  it("[P36] a log that cannot be read is told and does not stop the others", async () => {
    await writeFile(path("a_7"), "fine");
    shipper.attach({ attempt: "a_6", fence: 1, path: folder }, 0);
    shipper.end("a_6", 10);
    shipper.attach(file("a_7"), 0);
    expect((await pullText()).attempt).toBe("a_7");
    expect(troubles[0]).toContain("a_6");
  });
});

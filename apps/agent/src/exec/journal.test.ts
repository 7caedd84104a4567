import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { applyEvent, type DurableEvent, noAttempts } from "../core/attempts.ts";
import { type Journal, openJournal } from "./journal.ts";
import { readJournal } from "./read-journal.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nexus-journal-"));
  path = join(folder, "attempts.journal");
});
afterEach(() => rmSync(folder, { recursive: true }));

function accepted(name: string, fence = 1): DurableEvent {
  return {
    type: "accepted",
    attempt: `a_${name}`,
    job: `j_${name}`,
    fence,
    bootId: "boot",
    timeoutMs: 5,
    graceMs: 6,
    order: "a_first",
    holdsGpus: true,
    gpus: ["GPU-1"],
    cgroup: "/c",
    masked: false,
  };
}

async function reopen(bytesMax?: number): Promise<Journal> {
  return openJournal(path, await readJournal(path), { bytesMax });
}

it("[J30] what was appended is known to whoever reads the file, in order", async () => {
  const journal = await reopen();
  await journal.append([accepted("1"), accepted("2")]);
  await Promise.all([
    journal.append([{ type: "stop", attempt: "a_1", reason: "timed_out", graceMs: 9 }]),
    journal.append([{ type: "gap", attempt: "a_1", offset: 7 }]),
    journal.append([accepted("3")]),
    journal.append([{ type: "forgotten", attempt: "a_3" }]),
  ]);
  const state = await readJournal(path);
  expect([...state.attempts.keys()]).toEqual(["a_1", "a_2"]);
  expect(state.attempts.get("a_1")).toEqual({
    attempt: "a_1",
    job: "j_1",
    fence: 1,
    bootId: "boot",
    timeoutMs: 5,
    graceMs: 6,
    order: "a_first",
    holdsGpus: true,
    gpus: ["GPU-1"],
    cgroup: "/c",
    masked: false,
    stop: { reason: "timed_out", graceMs: 9 },
    logGapAt: 7,
  });
  expect(state.fences.get("j_3")).toBe(1);
  await journal.close();
});

it("[J31] a journal cut off at any byte is read up to the last whole line, and can be written on", async () => {
  const journal = await reopen();
  await journal.append([accepted("1"), accepted("2")]);
  await journal.close();
  const whole = readFileSync(path);
  const firstLine = whole.indexOf("\n") + 1;
  for (let size = 0; size < whole.length; size += 1) {
    writeFileSync(path, whole.subarray(0, size));
    const { attempts } = await readJournal(path);
    expect([...attempts.keys()]).toEqual(size < firstLine ? [] : ["a_1"]);
  }
  truncateSync(path, whole.length - 3);
  const again = await reopen();
  await again.append([accepted("4")]);
  await again.close();
  expect([...(await readJournal(path)).attempts.keys()]).toEqual(["a_1", "a_4"]);
});

it("[J31] zeros that a power cut left at the end are dropped", async () => {
  const journal = await reopen();
  await journal.append([accepted("1")]);
  await journal.close();
  appendFileSync(path, Buffer.alloc(600));
  expect((await readJournal(path)).attempts.size).toBe(1);
});

it("[J31] damage before whole lines is refused with the line, since guessing could start a job twice", async () => {
  const journal = await reopen();
  await journal.append([accepted("1"), accepted("2"), accepted("3")]);
  await journal.close();
  const lines = readFileSync(path, "utf8").split("\n");
  lines[1] = '{"type":"accep';
  writeFileSync(path, lines.join("\n"));
  await expect(readJournal(path)).rejects.toThrow(/Line 2 of .* is damaged/);
});

it("[B13] a journal of 8 MiB is written anew with what still counts, and read as before", async () => {
  const journal = await reopen();
  const expected = noAttempts();
  let largest = 0;
  let events = 0;
  // Some 200 bytes an attempt, in rounds as a busy node has them.
  while (largest === 0 || statSync(path).size >= largest) {
    largest = statSync(path).size;
    const round = Array.from({ length: 500 }, (_, index) => accepted(String(events + index)));
    const ends = round
      .slice(1)
      .map((one) => ({ type: "forgotten", attempt: one.type === "accepted" ? one.attempt : "" }) as const);
    await journal.append([...round, ...ends]);
    for (const event of [...round, ...ends]) applyEvent(expected, event);
    events += round.length;
  }
  await journal.close();
  expect(largest).toBeGreaterThan(8 * 1024 * 1024 - 500 * 300);
  expect(largest).toBeLessThan(8 * 1024 * 1024 + 500 * 300);
  expect(statSync(path).size).toBeLessThan(largest / 2);
  expect((await readJournal(path)).attempts).toEqual(expected.attempts);
});

it("[J35] the journal is written anew when it has grown, and says the same", async () => {
  const journal = await reopen(4096);
  const expected = noAttempts();
  let largest = 0;
  for (let index = 0; index < 400; index += 1) {
    const events = [accepted(String(index)), { type: "forgotten" as const, attempt: `a_${index}` }];
    if (index % 50 === 0) events.pop();
    await journal.append(events);
    for (const event of events) applyEvent(expected, event);
    largest = Math.max(largest, statSync(path).size);
  }
  await journal.close();
  const written = 400 * 2 * 60;
  expect(largest).toBeLessThan(written);
  const state = await readJournal(path);
  expect(state).toEqual(expected);
  expect(existsSync(`${path}.new`)).toBe(false);
});

import { describe, expect, it } from "vitest";
import { type ChaosJob, linesOf, probeJob } from "./chaos-job.ts";
import { checkLog } from "./check-log.ts";

const job: ChaosJob = { ...probeJob("j1", null), lines: 5 };
const lines = [...linesOf(job)];
const bytes = (...parts: string[]) => Buffer.from(parts.join(""));
const [one = "", two = "", three = ""] = lines;

describe("[W17] what a chaos run takes for a whole log", () => {
  it("[W17] all lines of a job that ran to its end, and nothing else", () => {
    expect(checkLog(job, bytes(...lines), null).what).toBeNull();
    expect(checkLog(job, bytes(one, two), null)).toMatchObject({ bytesLost: expect.any(Number) });
    expect(checkLog(job, bytes(...lines, one), null).bytesDoubled).toBe(one.length);
    expect(checkLog(job, bytes(two, one, ...lines.slice(2)), null).what).toMatch(/another order/);
  });

  it("[W17] of one that was ended, what it copied and one line more", () => {
    for (const more of ["", three])
      expect(checkLog(job, bytes(one, two, more), bytes(one, two)).what).toBeNull();
    expect(checkLog(job, bytes(one), bytes(one, two)).what).toMatch(/1 lines are missing/);
    expect(checkLog(job, bytes(one, two.slice(0, 9)), bytes(one, two)).what).toMatch(/never wrote/);
  });

  it("[W17] of one that waits for room, its last line as far as it came, and none before it", () => {
    const patient = { ...job, isPatient: true };
    for (const part of ["", two.slice(0, 9), two])
      expect(checkLog(patient, bytes(one, part), bytes(one, two)).what).toBeNull();
    expect(checkLog(patient, bytes(one.slice(0, 9)), bytes(one, two)).what).toMatch(/missing/);
    expect(checkLog(patient, bytes(one, three.slice(0, 9)), bytes(one, two)).what).toMatch(/never wrote/);
  });
});

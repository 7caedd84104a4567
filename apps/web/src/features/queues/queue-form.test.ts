import { describe, expect, it } from "vitest";
import { queueFormOf, readQueueForm } from "./queue-form.ts";

const form = { ...queueFormOf(null), name: "night" };
const noLimits = { runningMax: null, gpusMax: null, userRunningMax: null, userGpusMax: null };

describe("queue form", () => {
  it("makes a queue of it; no limit is null, and 0 is a limit", () => {
    expect(readQueueForm(form).input).toEqual({
      name: "night",
      priority: 0,
      ...noLimits,
      paused: false,
      selector: { labels: {}, targets: [] },
    });
    expect(
      readQueueForm({ ...form, priority: " -5", runningMax: "0", userGpusMax: "2" }).input,
    ).toMatchObject({
      ...{ priority: -5, runningMax: 0, userGpusMax: 2, gpusMax: null },
    });
    expect(readQueueForm({ ...form, priority: "" }).input).toMatchObject({ priority: 0 });
  });

  it("reads where its jobs may run, and writes it as it was typed", () => {
    const selector = { labels: { role: "train", fast: "" }, targets: ["gpu1", "gpu2"] };
    const typed = { ...form, labels: "role=train, fast", targets: "gpu1  gpu2" };
    expect(readQueueForm(typed).input).toMatchObject({ selector });
    const counts = { queued: 0, running: 0, gpusHeld: 0, targetsSelected: 1, waitsLongest: null };
    const queue = { name: "night", priority: 0, paused: false, ...noLimits, selector, ...counts };
    expect(queueFormOf(queue)).toEqual({ ...form, labels: "role=train fast", targets: "gpu1 gpu2" });
  });

  it.each([
    [{ priority: "high" }, "priority"],
    [{ priority: "1001" }, "priority"],
    [{ runningMax: "-1" }, "runningMax"],
    [{ gpusMax: "1.5" }, "gpusMax"],
    [{ labels: "a!=b" }, "labels"],
  ])("refuses %j at its field", (change, field) => {
    const { input, errors } = readQueueForm({ ...form, ...change });
    expect(input).toBeNull();
    expect(Object.keys(errors)).toEqual([field]);
  });
});

import { describe, expect, it } from "vitest";
import { readQueueForm } from "./queue-form.ts";

const form = { name: "night", priority: "0", runningMax: "", paused: false };

describe("queue form", () => {
  it("makes a queue of it; no limit is null, and 0 is a limit", () => {
    expect(readQueueForm(form).input).toEqual({
      name: "night",
      priority: 0,
      runningMax: null,
      paused: false,
    });
    expect(readQueueForm({ ...form, priority: " -5", runningMax: "0" }).input).toMatchObject({
      priority: -5,
      runningMax: 0,
    });
    expect(readQueueForm({ ...form, priority: "" }).input).toMatchObject({ priority: 0 });
  });

  it.each([
    [{ priority: "high" }, "priority"],
    [{ priority: "1001" }, "priority"],
    [{ runningMax: "-1" }, "runningMax"],
    [{ runningMax: "1.5" }, "runningMax"],
  ])("refuses %j at its field", (change, field) => {
    const { input, errors } = readQueueForm({ ...form, ...change });
    expect(input).toBeNull();
    expect(Object.keys(errors)).toEqual([field]);
  });
});

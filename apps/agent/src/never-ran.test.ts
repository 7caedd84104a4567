import { describe, expect, it } from "vitest";
import { createNeverRan } from "./never-ran.ts";

describe("attempts that never ran", () => {
  it("[P38] each is reported, with its age, in answers and in the inventory, until it is forgotten", () => {
    let nowMs = 1000;
    const neverRan = createNeverRan(() => nowMs);
    neverRan.add({ attempt: "a_1", fence: 2, reason: "start_failed", message: "no such folder" });
    nowMs = 4000;
    const exit = neverRan.get("a_1");
    expect(exit).toMatchObject({ fence: 2, exitCode: null, logBytes: 0, endedAgoMs: 3000 });
    expect(neverRan.exits()).toEqual([exit]);
    expect(neverRan.inventory()).toMatchObject([{ attempt: "a_1", state: "exited", logBytes: 0, exit }]);
    neverRan.forget("a_1");
    expect(neverRan.get("a_1")).toBeNull();
    expect(neverRan.inventory()).toEqual([]);
  });
});

import { TEXT_CHARS_MAX } from "@nexus/shared/protocol/limits";
import { agentMessageSchema } from "@nexus/shared/protocol/messages";
import { describe, expect, it } from "vitest";
import { createNeverRan, REPORTS_MAX } from "./never-ran.ts";

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

  it("[P57] the sentence of a refusal fits a message, however long what it names is", () => {
    const neverRan = createNeverRan(() => 0);
    const message = `The command "${"x".repeat(100_000)}" was not found`;
    const exit = neverRan.add({ attempt: "a_1", fence: 1, reason: "start_failed", message });
    expect(exit.message).toBe(message.slice(0, TEXT_CHARS_MAX));
    expect(agentMessageSchema.safeParse({ type: "exited", attempts: [exit] }).success).toBe(true);
  });

  it("[B18] beyond 4,000 reports that nobody forgets the oldest goes", () => {
    const neverRan = createNeverRan(() => 0);
    for (let number = 0; number < REPORTS_MAX + 3; number += 1)
      neverRan.add({ attempt: `a_${number}`, fence: 1, reason: "cancelled", message: null });
    expect(neverRan.exits()).toHaveLength(REPORTS_MAX);
    expect(neverRan.get("a_2")).toBeNull();
    expect(neverRan.get("a_3")).not.toBeNull();
  });
});

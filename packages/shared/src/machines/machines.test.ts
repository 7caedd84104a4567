import { describe, expect, test } from "vitest";
import {
  ACTIVE_JOB_STATES,
  FINAL_JOB_STATES,
  isActive,
  isFinal,
  JOB_EVENTS,
  JOB_STATES,
  JOB_TRANSITIONS,
  jobCan,
  nextJobState,
} from "./job.ts";
import { nextTargetState, TARGET_EVENTS, TARGET_STATES, TARGET_TRANSITIONS } from "./target.ts";

describe("the job machine", () => {
  test.each(JOB_STATES.flatMap((state) => JOB_EVENTS.map((event) => [state, event] as const)))(
    "[J1] %s on %s goes where the table says, or nowhere",
    (state, event) => {
      const next = nextJobState(state, event);
      expect(next).toBe(JOB_TRANSITIONS[state][event] ?? null);
      if (next === null) return;
      // What is over stays over, and nothing makes a job active but a placement or the return of what it had.
      expect(isFinal(state)).toBe(false);
      if (state === "queued")
        expect(["assigned", "cancelled", event === "return" && "running"]).toContain(next);
      if (isActive(state))
        expect(isActive(next) || isFinal(next) || ["unplace", "decline", "requeue"].includes(event)).toBe(
          true,
        );
      if (event === "requeue") expect([state, next]).toEqual(["unreachable", "queued"]);
      if (event === "decline") expect(next).toBe("queued");
      if (event === "start") expect(next).toBe("running");
    },
  );

  test("[J1] every state is queued, active or final, and each but the first is reached", () => {
    for (const state of JOB_STATES) {
      expect([state === "queued", isActive(state), isFinal(state)].filter(Boolean)).toHaveLength(1);
    }
    expect([...ACTIVE_JOB_STATES, ...FINAL_JOB_STATES, "queued"].sort()).toEqual([...JOB_STATES].sort());
    const reached = new Set(JOB_STATES.flatMap((state) => Object.values(JOB_TRANSITIONS[state])));
    expect([...reached].sort()).toEqual([...JOB_STATES].sort());
  });

  test("[J2] an exit may come in every active state", () => {
    for (const state of ACTIVE_JOB_STATES) {
      expect(
        ["succeed", "fail", "cancel", "time_out"].map((event) => nextJobState(state, event as "fail")),
      ).toEqual(["succeeded", "failed", "cancelled", "timed_out"]);
    }
  });

  test("[J12] what a person may ask follows from the table", () => {
    for (const state of JOB_STATES) {
      expect(jobCan.cancel(state) === true).toBe(nextJobState(state, "cancel") !== null);
      expect(jobCan.requeue(state) === true).toBe(nextJobState(state, "requeue") !== null || isFinal(state));
    }
  });
});

describe("the target machine", () => {
  test.each(TARGET_STATES.flatMap((state) => TARGET_EVENTS.map((event) => [state, event] as const)))(
    "[J18] %s on %s goes where the table says, and revoked is for good",
    (state, event) => {
      const next = nextTargetState(state, event);
      expect(next).toBe(TARGET_TRANSITIONS[state][event] ?? null);
      if (state === "revoked") expect(next).toBeNull();
      else if (event === "welcome") expect(next).toBe("connected");
      else if (event === "revoke") expect(next).toBe("revoked");
    },
  );
});

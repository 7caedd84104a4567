import type { Target } from "@nexus/shared/api/schemas";
import { expect, it } from "vitest";
import { targetStateCell } from "./target-cells.ts";

it("[J54] a machine whose agent cannot contain escaping processes says so beside its state", () => {
  const target = { kind: "agent", state: "connected", cordoned: false, draining: false };
  const cellOf = (facts: object | null) => targetStateCell({ ...target, facts } as Target);
  expect(cellOf({ containsJobs: false })).toMatchObject({ text: "● connected, not contained" });
  expect(cellOf({ containsJobs: true })).toMatchObject({ text: "● connected" });
  // An older agent does not tell.
  expect(cellOf({})).toMatchObject({ text: "● connected" });
  expect(cellOf(null)).toMatchObject({ text: "● connected" });
});

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeMessage } from "@nexus/shared/protocol/split-message";
import { expect, test } from "vitest";
import type { KnownAttempt } from "../core/attempts.ts";
import { exitOf, liveAttempt } from "./live-attempt.ts";

test("[J42] a report of thousands of processes that outlived the kill fits a frame", () => {
  const path = mkdtempSync(join(tmpdir(), "nexus-left-"));
  const known = { attempt: "a_1", fence: 1, stop: null } as KnownAttempt;
  const live = liveAttempt(known, { log: join(path, "log") } as never);
  const leftovers = Array.from({ length: 5_000 }, (_, pid) => ({ pid, command: "\u0001".repeat(4096) }));
  const exit = exitOf(live, { kind: "exit", status: 0, uptimeMs: 1 } as never, leftovers as never);
  expect(exit.leftovers[0]).toMatchObject({ pid: 0 });
  expect(encodeMessage({ type: "exited", attempts: [{ ...exit, endedAgoMs: 0 }] })).toHaveLength(1);
  rmSync(path, { recursive: true });
});

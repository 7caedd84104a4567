import { describe, expect, it } from "vitest";
import { beginHeartbeat, heard, look } from "./heartbeat.ts";

const intervalMs = 1000;

describe("heartbeat", () => {
  it("[P17] a peer is dead after three intervals of silence, not before", () => {
    let state = beginHeartbeat(0);
    const verdicts: string[] = [];
    for (const nowMs of [1000, 2000, 3000, 4000]) {
      const seen = look(state, nowMs, intervalMs);
      state = seen.state;
      verdicts.push(seen.verdict);
    }
    expect(verdicts).toEqual(["alive", "alive", "alive", "dead"]);
  });

  it("[P17] any frame begins a new count", () => {
    let state = heard(look(beginHeartbeat(0), 1900, intervalMs).state, 1900);
    for (const nowMs of [2900, 3900, 4900]) {
      const seen = look(state, nowMs, intervalMs);
      expect(seen.verdict).toBe("alive");
      state = seen.state;
    }
  });

  it("[P18] silence is not counted while our own loop stood still", () => {
    const stalled = look(beginHeartbeat(0), 60_000, intervalMs);
    expect(stalled.verdict).toBe("stalled");
    expect(look(stalled.state, 61_000, intervalMs).verdict).toBe("alive");
    expect(look({ ...stalled.state, lookedAtMs: 63_000 }, 64_000, intervalMs).verdict).toBe("dead");
  });
});

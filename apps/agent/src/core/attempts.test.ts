import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NO_RECORD, parseRecord } from "./attempt-record.ts";
import {
  type AttemptsState,
  admit,
  applyEvent,
  compactEvents,
  type DiskFacts,
  type DurableEvent,
  judge,
  noAttempts,
  withdraw,
} from "./attempts.ts";

const JOBS = ["j_1", "j_2", "j_3"];

function accepted(job: string, fence: number): Extract<DurableEvent, { type: "accepted" }> {
  return {
    type: "accepted",
    attempt: `a_${job}_${fence}`,
    job,
    fence,
    bootId: "boot",
    timeoutMs: null,
    graceMs: 1000,
    order: `a_${job}_${fence}`,
    holdsGpus: false,
    gpus: [],
    cgroup: null,
    masked: false,
  };
}

const job = fc.constantFrom(...JOBS);
const fence = fc.integer({ min: 1, max: 4 });
const named = fc.tuple(job, fence);
const event: fc.Arbitrary<DurableEvent> = fc.oneof(
  named.map(([job, fence]) => accepted(job, fence)),
  named.map(([job, fence]) => ({ type: "forgotten" as const, attempt: `a_${job}_${fence}` })),
  fc
    .tuple(named, fc.constantFrom("cancelled" as const, "timed_out" as const))
    .map(([[job, fence], reason]) => ({
      type: "stop" as const,
      attempt: `a_${job}_${fence}`,
      reason,
      graceMs: 5,
    })),
  fc
    .tuple(named, fc.nat(9))
    .map(([[job, fence], offset]) => ({ type: "gap" as const, attempt: `a_${job}_${fence}`, offset })),
  named.map(([job, fence]) => ({ type: "fence" as const, job, fence })),
);

function fold(events: DurableEvent[], state = noAttempts()): AttemptsState {
  for (const one of events) applyEvent(state, one);
  return state;
}

/** Stops, gaps and forgets are written only for what is known. */
function asWritten(events: DurableEvent[]): DurableEvent[] {
  const state = noAttempts();
  return events.filter((event) => {
    const isAbout = event.type === "stop" || event.type === "gap" || event.type === "forgotten";
    const makesSense = !isAbout || state.attempts.has(event.attempt);
    applyEvent(state, event);
    return makesSense;
  });
}

function asData({ attempts, fences }: AttemptsState) {
  return { attempts: Object.fromEntries(attempts), fences: Object.fromEntries(fences) };
}

describe("what is known of attempts", () => {
  it("[J34] no sequence of starts, stops, forgets, crashes and replays lets an attempt in twice", () => {
    const act = fc.oneof(
      named.map(([job, fence]) => ({ do: "start" as const, job, fence })),
      named.map(([job, fence]) => ({ do: "forget" as const, job, fence })),
      fc.constant({ do: "crash" as const }),
      fc.constant({ do: "crash after compacting" as const }),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        let journal: DurableEvent[] = [];
        let state = noAttempts();
        const letIn = new Set<string>();
        const write = (event: DurableEvent) => {
          journal.push(event);
          applyEvent(state, event);
        };
        for (const one of acts) {
          if (one.do === "start") {
            const start = accepted(one.job, one.fence);
            if (admit(state, start).kind !== "accept") continue;
            expect(letIn).not.toContain(start.attempt);
            letIn.add(start.attempt);
            write(start);
          } else if (one.do === "forget") {
            const attempt = `a_${one.job}_${one.fence}`;
            if (state.attempts.has(attempt)) write({ type: "forgotten", attempt });
          } else {
            if (one.do === "crash after compacting") journal = compactEvents(state);
            state = fold(journal);
          }
        }
      }),
    );
  });

  it("[J34] a journal replayed twice says what it says once", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (anything) => {
        const events = asWritten(anything);
        expect(asData(fold([...events, ...events]))).toEqual(asData(fold(events)));
      }),
    );
  });

  it("[J35] a compacted journal says the same, and compacting it again changes nothing", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const state = fold(events);
        const compacted = compactEvents(state);
        expect(asData(fold(compacted))).toEqual(asData(state));
        expect(compactEvents(fold(compacted))).toEqual(compacted);
        expect(compacted.length).toBeLessThanOrEqual(events.length + 1);
      }),
    );
  });

  it("[J35] compaction keeps the fences that rose last, and those of all known attempts", () => {
    const state = fold([
      accepted("j_1", 1),
      { type: "fence", job: "j_2", fence: 7 },
      { type: "fence", job: "j_3", fence: 8 },
    ]);
    const kept = fold(compactEvents(state, 1));
    expect(Object.fromEntries(kept.fences)).toEqual({ j_1: 1, j_3: 8 });
  });

  it("[J35] fences of jobs that are gone do not pile up without end, those of known attempts stay", () => {
    const state = fold([accepted("j_1", 3)]);
    for (let index = 0; index < 50_000; index += 1)
      applyEvent(state, { type: "fence", job: `j_x${index}`, fence: 1 });
    expect(state.fences.size).toBeLessThanOrEqual(40_000);
    expect(state.fences.get("j_1")).toBe(3);
    expect(state.fences.get("j_x49999")).toBe(1);
  });

  it("[J33] a start is let in only above every fence that its job has had here", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), job, fence, (events, job, fence) => {
        const state = fold(events);
        const before = state.fences.get(job) ?? 0;
        const { kind } = admit(state, accepted(job, fence));
        if (state.attempts.has(`a_${job}_${fence}`)) expect(kind).toBe("known");
        else expect(kind).toBe(fence > before ? "accept" : "fence_passed");
      }),
    );
  });

  it("[J41] a start that is taken back leaves everything as it was", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), job, (events, job) => {
        const state = fold(events);
        const before = structuredClone(asData(state));
        const fenceBefore = state.fences.get(job);
        applyEvent(state, accepted(job, 9));
        withdraw(state, `a_${job}_9`, fenceBefore);
        expect(asData(state)).toEqual(before);
      }),
    );
  });
});

describe("what to believe after a restart", () => {
  const nothing: DiskFacts = {
    record: NO_RECORD,
    orderExists: true,
    sameBoot: true,
    supervisorAlive: false,
    treeAlive: false,
    supervisorUnaccounted: false,
  };
  const claimed = parseRecord("claim boot 7 123 5 1.00 .\nchild 8 .\n");
  const ended = parseRecord("claim boot 7 123 5 1.00 .\nchild 8 .\nexit 3 2.50 .\n");

  it.each([
    ["no record: it was never begun, and may still be", {}, "recorded"],
    ["no record after a reboot: a power cut may have taken it", { sameBoot: false }, "vanished"],
    ["no folder", { orderExists: false }, "vanished"],
    ["no folder, but its processes", { orderExists: false, treeAlive: true }, "orphaned"],
    [
      "half a claim and a supervisor that nobody claimed",
      { record: parseRecord("claim bo"), supervisorUnaccounted: true },
      "starting",
    ],
    ["half a claim and nobody", { record: parseRecord("claim bo") }, "never_started"],
    ["a claim and its supervisor", { record: claimed, supervisorAlive: true }, "running"],
    ["a claim, no supervisor, the job's processes", { record: claimed, treeAlive: true }, "orphaned"],
    ["a claim and nobody", { record: claimed }, "vanished"],
    [
      "a claim of an earlier boot, whatever runs under that number now",
      { record: claimed, sameBoot: false, supervisorAlive: true },
      "vanished",
    ],
    ["an exit", { record: ended }, "exited"],
    ["an exit of an earlier boot", { record: ended, sameBoot: false }, "exited"],
    ["an exit while the supervisor is still there", { record: ended, supervisorAlive: true }, "exited"],
    ["voided", { record: parseRecord("void .\n") }, "never_started"],
    ["found lost before", { record: parseRecord("claim boot 7 123 5 1.00 .\n\nlost 3.00 .\n") }, "vanished"],
  ] as const)("[J36] %s", (_, facts, finding) => {
    expect(judge({ ...nothing, ...facts })).toBe(finding);
  });
});

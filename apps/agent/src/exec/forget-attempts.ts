/**
 * Lets go of attempts that have ended: their lines in the journal, their files, logs included, their cgroups.
 *
 * Owns: the attempts that are to be forgotten next. States: idle; planned (whoever comes now joins); in a round. Invariants:
 * at most one round at a time; an attempt is gone from memory only when the journal has it; a file that a crash leaves
 * behind is removed at the next start. It refuses attempts that have not ended: they stay.
 *
 * Nobody waits for it, so short jobs share rounds.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type AttemptsState, applyEvent } from "../core/attempts.ts";
import { dropFiles, removeLog } from "./attempt-files.ts";
import { dropCgroup } from "./job-cgroups.ts";
import type { Journal } from "./journal.ts";
import type { LiveAttempt } from "./live-attempt.ts";

export type Forgetting = {
  /** Resolves when files and cgroups are gone too. */
  forget(attempts: string[]): Promise<void>;
  settled(): Promise<void>;
};

export type ForgettingContext = {
  state: AttemptsState;
  journal: Journal;
  live: Map<string, LiveAttempt>;
  onForgotten(): void;
};

/** The least time between two rounds. */
const GAP_MS = 50;
/** Each attempt is a few short waits for the disk. */
const ATTEMPTS_AT_ONCE = 16;

export function createForgetting({ state, journal, live, onForgotten }: ForgettingContext): Forgetting {
  let waiting = new Set<string>();
  let planned: Promise<void> | null = null;
  let last: Promise<unknown> = Promise.resolve();
  let endedAtMs = Number.NEGATIVE_INFINITY;

  async function round(): Promise<void> {
    const gapMs = endedAtMs + GAP_MS - performance.now();
    if (gapMs > 0) await pause(gapMs);
    const attempts = waiting;
    waiting = new Set();
    planned = null;
    try {
      await forgetNow([...attempts].flatMap((attempt) => live.get(attempt) ?? []));
    } finally {
      endedAtMs = performance.now();
    }
  }

  async function forgetNow(lives: LiveAttempt[]): Promise<void> {
    const ended = lives.filter(({ phase }) => phase === "ended");
    const events = ended.map(({ known }) => ({ type: "forgotten", attempt: known.attempt }) as const);
    try {
      await journal.append(events);
    } catch {
      // The disk may be full of just these logs. Whoever says forget has them; a crash here makes them asked for again.
      for (const { files } of ended) removeLog(files);
      await journal.append(events);
    }
    onForgotten();
    for (const event of events) applyEvent(state, event);
    for (const { known } of ended) live.delete(known.attempt);
    for (let at = 0; at < ended.length; at += ATTEMPTS_AT_ONCE) {
      const some = ended.slice(at, at + ATTEMPTS_AT_ONCE);
      await Promise.all(
        some.flatMap(({ known, files, mayHaveCgroup }) => [
          dropFiles(files),
          mayHaveCgroup ? dropCgroup(known.cgroup) : undefined,
        ]),
      );
    }
  }

  return {
    forget(attempts) {
      for (const attempt of attempts) waiting.add(attempt);
      planned ??= last.then(round);
      last = planned.catch(() => undefined);
      return planned;
    },
    async settled() {
      await last;
    },
  };
}

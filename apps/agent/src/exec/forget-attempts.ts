/**
 * Lets go of attempts that have ended: their lines in the journal, their files, logs included, their cgroups.
 *
 * Owns: the attempts that are to be forgotten next. States: idle; planned (whoever comes now joins); in a round. Invariants:
 * at most one round at a time; an attempt is gone from memory only when the journal has it; a file that a crash leaves
 * behind is removed at the next start. It refuses attempts that have not ended: they stay. What never began stays until
 * nobody can come who would begin it.
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
  /** Resolves when files and cgroups are gone too, of all that may go now. */
  forget(attempts: string[]): Promise<void>;
  /** Of those that had to stay, some may go now. */
  retry(): void;
  settled(): Promise<void>;
};

export type ForgettingContext = {
  state: AttemptsState;
  journal: Journal;
  live: Map<string, LiveAttempt>;
  mayYetBeClaimed(live: LiveAttempt): boolean;
  onForgotten(): void;
};

/** The least time between two rounds. */
const GAP_MS = 50;
/** Each attempt is a few short waits for the disk. */
const ATTEMPTS_AT_ONCE = 16;

export function createForgetting({
  state,
  journal,
  live,
  mayYetBeClaimed,
  onForgotten,
}: ForgettingContext): Forgetting {
  const kept = new Set<string>();
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

  function mustStay(one: LiveAttempt): boolean {
    const stays = mayYetBeClaimed(one);
    if (stays) kept.add(one.known.attempt);
    return stays;
  }

  async function forgetNow(lives: LiveAttempt[]): Promise<void> {
    const ended = lives.filter((one) => one.phase === "ended" && !mustStay(one));
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

  function forget(attempts: string[]): Promise<void> {
    for (const attempt of attempts) waiting.add(attempt);
    planned ??= last.then(round);
    last = planned.catch(() => undefined);
    return planned;
  }

  return {
    forget,
    retry() {
      if (kept.size === 0) return;
      const again = [...kept];
      kept.clear();
      forget(again).catch(() => {
        for (const attempt of again) kept.add(attempt);
      });
    },
    async settled() {
      await last;
    },
  };
}

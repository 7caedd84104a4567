/**
 * Starts, in batches: what is known answers with its state, what is new is recorded and then ordered.
 *
 * Owns: the starts under way. Invariant: an attempt that is under way is not begun a second time; whoever asks for it again
 * gets the same answer.
 */
import { NexusError } from "@nexus/shared/errors";
import type { JobStart } from "@nexus/shared/protocol/messages";
import { admit } from "../core/attempts.ts";
import type { AttemptRuns } from "./attempt-runs.ts";
import { type LiveAttempt, liveAttempt, stateOf } from "./live-attempt.ts";
import {
  type Preparation,
  passed,
  type Refusal,
  recordStarts,
  refusalOf,
  type StartContext,
} from "./record-starts.ts";

export type StartAnswer = { attempt: string; fence: number } & (
  | { state: "recorded" | "running" | "exited" }
  | { state: "refused"; refusal: Refusal }
);

export type StartBatches = {
  start(jobs: JobStart[]): Promise<StartAnswer[]>;
  /** Orders attempts that are recorded and that nobody has ordered. */
  resume(attempts: string[]): void;
  /** The answer of a start that is not yet recorded. */
  underWay(attempt: string): Promise<StartAnswer> | null;
  allUnderWay(): JobStart[];
  settled(): Promise<unknown>;
};

export type StartBatchesContext = StartContext & {
  runs: AttemptRuns;
  order(lives: LiveAttempt[]): void;
};

export function createStartBatches(context: StartBatchesContext): StartBatches {
  const { state, runs, onStep } = context;
  const recording = new Map<string, { job: JobStart; answer: Promise<StartAnswer> }>();

  function order(lives: LiveAttempt[]): void {
    for (const live of lives) live.isOrdered = true;
    context.order(lives);
  }

  function resume(attempts: string[]): void {
    const lives = attempts.flatMap((attempt) => runs.live.get(attempt) ?? []);
    order(lives.filter(({ phase, isOrdered, known }) => phase === "recorded" && !isOrdered && !known.stop));
  }

  /** Null for what is new. */
  function startKnown(job: JobStart): Promise<StartAnswer> | StartAnswer | null {
    const underWay = recording.get(job.attempt);
    if (underWay) return underWay.answer;
    const admission = admit(state, job);
    if (admission.kind === "fence_passed") return refused(job, refusalOf(passed(job, admission.fence)));
    const live = runs.live.get(job.attempt);
    if (!live) return null;
    // The control plane wants it still, and it was never begun. A newer attempt of the job would forbid it.
    if (state.fences.get(live.known.job) === live.known.fence) resume([job.attempt]);
    return answerOf(live);
  }

  async function startNew(jobs: JobStart[]): Promise<Map<string, StartAnswer>> {
    const preparations = await recordStarts(jobs, context);
    onStep("recorded");
    const lives = preparations.map(knownNow);
    order(lives.filter((live) => live !== null));
    onStep("ordered");
    const answers = new Map<string, StartAnswer>();
    for (const [index, preparation] of preparations.entries()) {
      const live = lives[index];
      if (live) answers.set(preparation.job.attempt, answerOf(live));
      else if ("refusal" in preparation) {
        answers.set(preparation.job.attempt, refused(preparation.job, preparation.refusal));
      }
    }
    return answers;
  }

  function knownNow(preparation: Preparation): LiveAttempt | null {
    const known = state.attempts.get(preparation.job.attempt);
    if ("refusal" in preparation || !known) return null;
    const live = liveAttempt(known, preparation.files);
    live.mayHaveCgroup = known.holdsGpus;
    runs.add(live);
    return live;
  }

  function beginRecording(jobs: JobStart[]): void {
    const batch = startNew(jobs);
    for (const job of jobs) {
      const answer = batch.then(
        (answers) => answers.get(job.attempt) ?? refused(job, refusalOf(new NexusError("internal"))),
        (error: unknown) => refused(job, refusalOf(error)),
      );
      recording.set(job.attempt, { job, answer });
      // Before anyone goes on who waits for the answer.
      void answer.then(() => recording.delete(job.attempt));
    }
  }

  return {
    start(jobs) {
      const known = new Map<string, Promise<StartAnswer> | StartAnswer>();
      const fresh = new Map<string, JobStart>();
      for (const job of jobs) {
        const answer = startKnown(job);
        if (answer === null) fresh.set(job.attempt, job);
        else known.set(job.attempt, answer);
      }
      beginRecording([...fresh.values()]);
      return Promise.all(
        jobs.map(
          (job) =>
            recording.get(job.attempt)?.answer ??
            known.get(job.attempt) ??
            refused(job, refusalOf(new NexusError("internal"))),
        ),
      );
    },
    resume,
    underWay: (attempt) => recording.get(attempt)?.answer ?? null,
    allUnderWay: () => [...recording.values()].map(({ job }) => job),
    settled: () => Promise.allSettled([...recording.values()].map(({ answer }) => answer)),
  };
}

function refused({ attempt, fence }: JobStart, refusal: Refusal): StartAnswer {
  return { attempt, fence, state: "refused", refusal };
}

function answerOf(live: LiveAttempt): StartAnswer {
  const { attempt, fence } = live.known;
  return { attempt, fence, state: stateOf(live) };
}

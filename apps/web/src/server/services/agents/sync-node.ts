/**
 * What to do about each attempt when a node came back with its inventory. Pure: the facts go in, the wishes come out.
 *
 * The node is the truth about processes, we are the truth about what is wanted. What we do not know is left alone.
 */
import type { AttemptInventory } from "@nexus/shared/protocol/messages";
import type { FoundAttempt } from "../../db/queries/find-attempts.ts";
import type { LiveAttempt, LiveJob } from "../scheduling/live-jobs.ts";

export type Want = "adopt" | "stop" | "forget" | "unclaimed";

export type KnownAttempt = { attempt: LiveAttempt; job: LiveJob | null };

/**
 * Of an attempt that the node names.
 * @param known ours and open, leased to this node, with its job while it is active.
 * @param found what the database says of one that is not open any more.
 */
export function wantOf(
  named: AttemptInventory,
  known: KnownAttempt | null,
  found: FoundAttempt | null,
): Want {
  if (known && known.attempt.fence === named.fence) {
    // A copy of what the disk said once: it is not the machine that this was sent to, and must not begin it.
    if (known.attempt.isEstranged && isUnknownHere(named)) return "unclaimed";
    if (named.exit) return "adopt";
    if (known.attempt.ended || !known.job) return "stop";
    return known.job.cancel ? "stop" : "adopt";
  }
  // Ended here while it was away (given up, or its log is whole): nobody waits for it any more.
  if (found?.isEnded) return named.state === "exited" ? "forget" : "stop";
  return "unclaimed";
}

/** Not begun here, or gone without a status with a boot that was another machine's. */
export function isUnknownHere({ state, exit }: Pick<AttemptInventory, "state" | "exit">): boolean {
  if (exit === null) return state === "recorded";
  return exit.reason === "vanished" || (exit.exitCode === null && exit.signal === null);
}

export type Missing =
  /** It may have begun on the machine that it was sent to, which this is not. */
  | "wait"
  /** It never heard of it, or lost it before it began: it is started (again; a start is idempotent). */
  | "start"
  /** It was to be cancelled and never began. */
  | "cancel"
  /** It ran, and the node knows nothing of it any more. */
  | "lose"
  /** Over, and the rest of its log is gone with it. */
  | "close"
  /** It was given up, and is nowhere now. */
  | "drop";

/** Of an open attempt of ours that the node does not name. */
export function missingMeans({ attempt, job }: KnownAttempt): Missing {
  if (attempt.ended) return "close";
  if (!job) return "drop";
  if (attempt.startedAtMs !== null) return "lose";
  if (attempt.isEstranged) return job.cancel ? "lose" : "wait";
  return job.cancel ? "cancel" : "start";
}

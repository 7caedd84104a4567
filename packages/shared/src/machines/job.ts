/**
 * A job's states and what may move them. The server enforces this table, the UI disables with its reason, the docs
 * diagram is generated from it, and a test walks every state × event.
 */
export const JOB_STATES = [
  "queued",
  "assigned",
  "starting",
  "running",
  "unreachable",
  "succeeded",
  "failed",
  "cancelled",
  "timed_out",
  "lost",
] as const;
export type JobState = (typeof JOB_STATES)[number];

export const JOB_EVENTS = [
  "place",
  "unplace",
  "send",
  "start",
  "refuse",
  "decline",
  "silence",
  "return",
  "succeed",
  "fail",
  "cancel",
  "time_out",
  "lose",
  "requeue",
] as const;
export type JobEvent = (typeof JOB_EVENTS)[number];

/**
 * `place`: a lease was committed. `unplace`: it was withdrawn before the agent heard of it. `send`: the start frame left.
 * `start`: the agent reports a process. `refuse`: it cannot start, by its own fault. `decline`: its node cannot start anything
 * now, and the job waits for another place; that is no try of it. `silence`/`return`: its node went quiet or came back. `lose`:
 * its lease was given up. `requeue`: a person, or the job's own rule, gives up the attempt on a silent node and puts the job
 * back in the line; a `return` while it waits there takes that attempt up again. What has ended never goes on: it is added again,
 * as another job.
 * An exit may arrive in any active state, since the agent reports what happened, not what we last heard.
 */
export const JOB_TRANSITIONS: Record<JobState, Partial<Record<JobEvent, JobState>>> = {
  queued: { place: "assigned", cancel: "cancelled", return: "running" },
  assigned: {
    send: "starting",
    unplace: "queued",
    start: "running",
    refuse: "failed",
    decline: "queued",
    silence: "unreachable",
    succeed: "succeeded",
    fail: "failed",
    cancel: "cancelled",
    time_out: "timed_out",
    lose: "lost",
  },
  starting: {
    start: "running",
    unplace: "queued",
    refuse: "failed",
    decline: "queued",
    silence: "unreachable",
    succeed: "succeeded",
    fail: "failed",
    cancel: "cancelled",
    time_out: "timed_out",
    lose: "lost",
  },
  running: {
    start: "running",
    silence: "unreachable",
    succeed: "succeeded",
    fail: "failed",
    cancel: "cancelled",
    time_out: "timed_out",
    lose: "lost",
  },
  unreachable: {
    return: "running",
    start: "running",
    unplace: "queued",
    refuse: "failed",
    decline: "queued",
    silence: "unreachable",
    succeed: "succeeded",
    fail: "failed",
    cancel: "cancelled",
    time_out: "timed_out",
    lose: "lost",
    requeue: "queued",
  },
  succeeded: {},
  failed: {},
  cancelled: {},
  timed_out: {},
  lost: {},
};

export const FINAL_JOB_STATES = ["succeeded", "failed", "cancelled", "timed_out", "lost"] as const;
export const ACTIVE_JOB_STATES = ["assigned", "starting", "running", "unreachable"] as const;

export function isFinal(state: JobState): boolean {
  return (FINAL_JOB_STATES as readonly JobState[]).includes(state);
}

export function isActive(state: JobState): boolean {
  return (ACTIVE_JOB_STATES as readonly JobState[]).includes(state);
}

export function nextJobState(state: JobState, event: JobEvent): JobState | null {
  return JOB_TRANSITIONS[state][event] ?? null;
}

/** What a person may ask of a job, and why not when they may not. */
export const jobCan = {
  cancel(state: JobState): true | string {
    return isFinal(state) ? `it already ${state === "succeeded" ? "succeeded" : `ended as ${state}`}` : true;
  },
  move(state: JobState): true | string {
    if (state === "queued") return true;
    return isFinal(state) ? "it is over" : "it does not wait any more";
  },
  /** Of one that is over, another job is made. */
  requeue(state: JobState): true | string {
    if (state === "unreachable" || isFinal(state)) return true;
    return state === "queued" ? "it waits in the line already" : "its node is not silent; end it first";
  },
};

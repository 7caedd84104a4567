/**
 * The jobs that are queued or active, and the attempts that a node may still speak of, in memory: what the scheduler plans
 * with, kept current by whoever commits a change, and rebuilt from the database when a change's outcome is not known.
 *
 * Owns: the maps and the counts. Invariants: `version` is that of the row as we last saw it; a job is in here exactly while
 * its state is not final; an attempt is in here until it is closed; one that was given up is no job's and holds its leases until
 * it has ended. Commands and environments are not kept: they can
 * be large, and only a start needs them. It refuses moves that the job machine does not know.
 */
import type { RetryRule } from "@nexus/shared/api/schemas";
import { assert } from "@nexus/shared/assert";
import { isActive, isFinal, type JobEvent, type JobState, nextJobState } from "@nexus/shared/machines/job";
import type { WaitingReason } from "@nexus/shared/scheduler/reason";
import type { ActiveJob, QueuedJob } from "../../core/scheduler/snapshot.ts";

export type LiveJob = QueuedJob & {
  rowId: number;
  teamId: string;
  /** Equal for equal commands. */
  commandKey: string;
  state: JobState;
  version: number;
  /** Of its latest attempt; 0 before the first. */
  fence: number;
  retry: RetryRule | null;
  retriesUsed: number;
  /** How long it is unreachable, as far as we were there to notice. */
  silentMs: number;
  reason: WaitingReason;
  /** Somebody wants it ended. `isAsked`: its node was told so, in the latest words. */
  cancel: { graceMs: number; isAsked: boolean } | null;
  attempt: LiveAttempt | null;
  /** What the planner sees of it while it is active. */
  activeView: ActiveJob | null;
};

export type LiveAttempt = {
  rowId: number;
  id: string;
  job: string;
  teamId: string;
  user: { id: string; name: string };
  targetId: number;
  fence: number;
  gpus: { gpuId: number; uuid: string; memoryMib: number | null }[];
  assignedAtMs: number;
  startedAtMs: number | null;
  pid: number | null;
  /** A start frame may have reached the node. False only when we know that none did. */
  maybeSent: boolean;
  /** Its start is still to be sent, in this session of its node. Sending it twice does no harm. */
  needsSend: boolean;
  /** See the schema of attempts. Until it is known to have begun. */
  isEstranged: boolean;
  /** See the schema of attempts. */
  logGapAt: number | null;
  /** Set when it is over and only its log is awaited. */
  ended: { logBytes: number } | null;
};

export type LiveJobs = {
  readonly jobs: ReadonlyMap<string, LiveJob>;
  readonly attempts: ReadonlyMap<string, LiveAttempt>;
  attemptsOn(targetId: number): LiveAttempt[];
  queued(teamId: string): LiveJob[];
  active(teamId: string): LiveJob[];
  teams(): string[];
  isGivenUp(attempt: LiveAttempt): boolean;
  /** Those of the team that still hold what they were given. */
  givenUp(teamId: string): LiveAttempt[];
  counts(teamId: string): Record<string, number>;
  queueCounts(queueId: number): { queued: number; running: number };
  add(job: LiveJob): void;
  /** A placement was committed. */
  assign(job: LiveJob, attempt: LiveAttempt, version: number): void;
  /** An event of the job machine was committed. @returns the new state. */
  move(job: LiveJob, event: JobEvent, version: number): JobState;
  /** A job that waits has its attempt back that was given up. */
  takeUp(job: LiveJob, attempt: LiveAttempt, version: number): void;
  /** Another place in the line was committed. */
  lineUp(job: LiveJob, to: { queueId: number; priority: number; version: number }): void;
  /** The attempt is over; its log may still be awaited. */
  endAttempt(attempt: LiveAttempt, logBytes: number): void;
  closeAttempt(attempt: LiveAttempt): void;
  /** One that ended, or was given up. */
  addFormerAttempt(attempt: LiveAttempt): void;
};

type Team = { queued: Set<LiveJob>; active: Set<LiveJob>; counts: Map<JobState, number> };

export function createLiveJobs(): LiveJobs {
  const jobs = new Map<string, LiveJob>();
  const attempts = new Map<string, LiveAttempt>();
  const byTarget = new Map<number, Set<LiveAttempt>>();
  const teams = new Map<string, Team>();
  const givenUp = new Set<LiveAttempt>();
  const queues = new Map<number, { queued: number; running: number }>();

  const live: LiveJobs = {
    jobs,
    attempts,
    attemptsOn: (targetId) => [...(byTarget.get(targetId) ?? [])],
    queued: (teamId) => [...(teams.get(teamId)?.queued ?? [])],
    active: (teamId) => [...(teams.get(teamId)?.active ?? [])],
    teams: () => [...teams.keys()],
    isGivenUp: (attempt) => givenUp.has(attempt),
    givenUp: (teamId) => [...givenUp].filter((attempt) => attempt.teamId === teamId),
    counts: (teamId) =>
      Object.fromEntries([...(teams.get(teamId)?.counts ?? [])].filter(([, count]) => count > 0)),
    queueCounts: (queueId) => ({ ...(queues.get(queueId) ?? { queued: 0, running: 0 }) }),
    add(job) {
      assert(!jobs.has(job.id) && !isFinal(job.state), `job ${job.id} is new and not over`);
      jobs.set(job.id, job);
      count(job, 1);
      if (job.attempt) keepAttempt(job.attempt);
    },
    assign(job, attempt, version) {
      assert(nextJobState(job.state, "place") === "assigned", `job ${job.id} can be placed`);
      keepAttempt(attempt);
      job.attempt = attempt;
      job.fence = attempt.fence;
      job.activeView = activeViewOf(job, attempt);
      setState(job, "assigned");
      job.version = version;
    },
    move(job, event, version) {
      const state = nextJobState(job.state, event);
      assert(state !== null, `job ${job.id} is ${job.state} and knows no ${event}`);
      job.version = version;
      setState(job, state);
      if (state !== "unreachable") job.silentMs = 0;
      if (state === "queued") {
        if (event === "requeue" && job.attempt) givenUp.add(job.attempt);
        job.attempt = null;
        job.activeView = null;
        job.reason = { code: "new" };
      }
      if (job.activeView) job.activeView.reachable = state !== "unreachable";
      if (isFinal(state)) jobs.delete(job.id);
      return state;
    },
    takeUp(job, attempt, version) {
      assert(nextJobState(job.state, "return") === "running", `job ${job.id} can have its attempt back`);
      givenUp.delete(attempt);
      job.attempt = attempt;
      job.version = version;
      setState(job, "running");
      job.activeView = activeViewOf(job, attempt);
    },
    lineUp(job, { queueId, priority, version }) {
      count(job, -1);
      Object.assign(job, { queueId, priority, version });
      if (job.activeView) job.activeView.queueId = queueId;
      count(job, 1);
    },
    endAttempt(attempt, logBytes) {
      attempt.ended = { logBytes };
      attempt.gpus = [];
      givenUp.delete(attempt);
    },
    closeAttempt(attempt) {
      attempts.delete(attempt.id);
      givenUp.delete(attempt);
      byTarget.get(attempt.targetId)?.delete(attempt);
    },
    addFormerAttempt(attempt) {
      keepAttempt(attempt);
      if (attempt.ended === null) givenUp.add(attempt);
    },
  };
  return live;

  function keepAttempt(attempt: LiveAttempt): void {
    attempts.set(attempt.id, attempt);
    const onTarget = byTarget.get(attempt.targetId) ?? new Set();
    byTarget.set(attempt.targetId, onTarget);
    onTarget.add(attempt);
  }

  function setState(job: LiveJob, state: JobState): void {
    count(job, -1);
    job.state = state;
    count(job, 1);
  }

  function count(job: LiveJob, change: 1 | -1): void {
    let team = teams.get(job.teamId);
    if (!team) {
      team = { queued: new Set(), active: new Set(), counts: new Map() };
      teams.set(job.teamId, team);
    }
    if (isFinal(job.state)) return;
    team.counts.set(job.state, (team.counts.get(job.state) ?? 0) + change);
    const set = isActive(job.state) ? team.active : team.queued;
    if (change === 1) set.add(job);
    else set.delete(job);
    const queue = queues.get(job.queueId) ?? { queued: 0, running: 0 };
    queues.set(job.queueId, queue);
    queue[isActive(job.state) ? "running" : "queued"] += change;
  }
}

export function activeViewOf(job: QueuedJob & { state: JobState }, attempt: LiveAttempt): ActiveJob {
  const { id, userId, userName, queueId, timeoutMs, graceMs } = job;
  return {
    ...{ id, userId, userName, queueId, timeoutMs, graceMs },
    attempt: attempt.id,
    targetId: attempt.targetId,
    gpus: attempt.gpus,
    reachable: job.state !== "unreachable",
    sinceMs: attempt.startedAtMs ?? attempt.assignedAtMs,
    pastRunsMs: [],
  };
}

/** Of an attempt that was given up: what it holds is in the way, and nobody knows when it ends. */
export function givenUpView(attempt: LiveAttempt): ActiveJob {
  const { id, job, user, targetId, gpus, startedAtMs, assignedAtMs } = attempt;
  return {
    ...{ id: job, attempt: id, userId: user.id, userName: user.name, targetId, gpus },
    ...{ queueId: 0, timeoutMs: null, graceMs: 0, pastRunsMs: [] },
    reachable: false,
    sinceMs: startedAtMs ?? assignedAtMs,
  };
}

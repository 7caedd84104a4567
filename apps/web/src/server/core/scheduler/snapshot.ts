/**
 * What the planner sees: plain facts at one moment, one team at a time. Services keep these objects current and the
 * planner never writes to them.
 */
import type { WaitingReason } from "@nexus/shared/scheduler/reason";

export type FleetSnapshot = { teams: TeamSnapshot[] };

export type TeamSnapshot = {
  teamId: string;
  targets: readonly TargetView[];
  queues: readonly QueueView[];
  /** Jobs in state `queued`, in any order. */
  queued: readonly QueuedJob[];
  /** Jobs that hold a lease, in any order. */
  active: readonly ActiveJob[];
  /** What was given up and may still run: it counts for no limit and no share, and what it holds is not free. */
  givenUp: readonly ActiveJob[];
  usage: readonly UserUsage[];
  /** What the previous plan kept for whom; without it a wide job's reservation would wander and never fill. */
  reservations: readonly Reservation[];
};

export type TargetView = {
  id: number;
  name: string;
  connected: boolean;
  /** Cordoned or draining. */
  cordoned: boolean;
  /** Why it takes no starts, when its node is at fault. `untilMs` null: until the node says that it is well. */
  hold: TargetHold | null;
  labels: Readonly<Record<string, string>>;
  cpuCount: number;
  gpus: readonly GpuView[];
};

export type TargetHold = { code: string; message: string; sinceMs: number; untilMs: number | null };

export function isHeld({ hold }: TargetView, nowMs: number): boolean {
  return hold !== null && (hold.untilMs === null || hold.untilMs > nowMs);
}

export type GpuView = {
  id: number;
  uuid: string;
  index: number;
  name: string;
  memoryTotalMib: number | null;
  simulated: boolean;
  /** False for a card in MIG mode: only its instances take jobs. */
  schedulable: boolean;
  /** By a person. */
  blocked: boolean;
  /** Not in the node's latest inventory. */
  missing: boolean;
  /** When an attempt of ours left it last: an older sample still shows that attempt. */
  freedAtMs: number;
  use: GpuUse | null;
};

/** One sample of a GPU, reduced to what placing needs. */
export type GpuUse = {
  sampledAtMs: number;
  /** Memory of processes outside Nexus, and memory that no visible process explains. */
  foreignMib: number;
  foreignUsers: readonly string[];
  /** Memory in use by attempt: for those that overrun what they named, and those that hold no lease on it. */
  attemptMib: ReadonlyMap<string, number>;
};

/** What a job needs of a place. Jobs with equal keys fit exactly the same places. */
export type Shape = {
  readonly key: string;
  readonly gpus: number;
  /** Names a share of each GPU; null takes whole devices. */
  readonly gpuMemoryMib: number | null;
  /** Lower case. */
  readonly gpuModel: string | null;
  readonly wanted: { readonly id: number; readonly name: string } | null;
  readonly labels: Readonly<Record<string, string>>;
};

export type QueuedJob = {
  id: string;
  userId: string;
  userName: string;
  queueId: number;
  priority: number;
  createdAtMs: number;
  timeoutMs: number | null;
  graceMs: number;
  shape: Shape;
  backoff: { untilMs: number; because: string } | null;
};

export type ActiveJob = {
  id: string;
  attempt: string;
  userId: string;
  userName: string;
  queueId: number;
  targetId: number;
  /** `memoryMib` null holds the whole device. */
  gpus: readonly { gpuId: number; memoryMib: number | null }[];
  /** When its node is silent nobody knows when it ends, whatever its timeout. */
  reachable: boolean;
  sinceMs: number;
  timeoutMs: number | null;
  graceMs: number;
  /** How long others of its kind took: for what people are told, never for what is decided. */
  pastRunsMs: readonly number[];
};

export type QueueView = {
  id: number;
  name: string;
  priority: number;
  paused: boolean;
  /** Jobs that may run, and GPUs that they may hold, at once: of all together, and of one user. Null is no limit. */
  runningMax: number | null;
  gpusMax: number | null;
  userRunningMax: number | null;
  userGpusMax: number | null;
  selector: QueueSelector;
};

/** Where a queue's jobs may run: on targets with all the labels and, when it names targets, on those only. */
export type QueueSelector = {
  labels: Readonly<Record<string, string>>;
  targets: readonly { id: number; name: string }[];
};

/** GPU time of a user, decayed to the moment of planning. */
export type UserUsage = { userId: string; userName: string; gpuMs: number };

/**
 * GPUs of one target that are kept for a waiting job. Of two that want the same GPU, the one of lower `order` goes first.
 * Without a target it keeps no GPU yet, only its part of its queue's limits.
 */
export type Reservation = { job: string; order: number; targetId: number | null; gpuIds: readonly number[] };

export type Policy = {
  /** A GPU with more memory than this in use outside Nexus takes no job that wants it whole. */
  foreignMibMax: number;
  /** Samples older than this are not trusted: two intervals, for the slowest pace of an agent (5 s; GPUs are read every 2). */
  sampleAgeMsMax: number;
  /** Reservations a team can have at once. */
  reservationsMax: number;
  /** What holding a GPU now counts in fair share, beside the time used: a planning round charges it at once. */
  chargeMsPerGpu: number;
  /** Fair-share weight of a job without GPUs, in GPUs. */
  cpuJobWeight: number;
  /** A running job without a timeout is guessed to need as long as it already took, and at least this. */
  unknownEndMsMin: number;
  /**
   * Jobs without GPUs at once on a target: the larger of the two. They name no share of CPU, so this only keeps a flood
   * of small helpers (downloads, builds, evaluations) from becoming a fork bomb; who wants one at a time says so with a
   * queue's `runningMax`. 64 keeps short jobs flowing over one round trip to the agent.
   */
  cpuJobsPerTargetMin: number;
  cpuJobsPerCpu: number;
};

export const DEFAULT_POLICY: Policy = {
  foreignMibMax: 512,
  sampleAgeMsMax: 10_000,
  reservationsMax: 64,
  chargeMsPerGpu: 10 * 60_000,
  cpuJobWeight: 1 / 16,
  unknownEndMsMin: 60_000,
  cpuJobsPerTargetMin: 64,
  cpuJobsPerCpu: 16,
};

export type Placement = {
  job: string;
  targetId: number;
  gpus: { gpuId: number; uuid: string; memoryMib: number | null }[];
};

export type Plan = {
  placements: Placement[];
  /** One for every queued job without a placement. */
  reasons: Map<string, WaitingReason>;
  /** The waiting jobs in the order they will be taken, as far as it can be told now. */
  line: string[];
  reservations: Map<string, Reservation[]>;
  /** When time alone changes something: the next pause or hold that ends. */
  wakeAtMs: number | null;
};

/** @param want as the job's row has it: the model in any case, labels in any order. */
export function shapeOf(want: Omit<Shape, "key">): Shape {
  const model = want.gpuModel === null ? null : want.gpuModel.toLowerCase();
  const labels = Object.entries(want.labels).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const key = JSON.stringify([want.gpus, want.gpuMemoryMib, model, want.wanted?.id ?? null, labels]);
  return { ...want, gpuModel: model, key };
}

export function cpuJobsMax(target: TargetView, policy: Policy): number {
  return Math.max(policy.cpuJobsPerTargetMin, policy.cpuJobsPerCpu * target.cpuCount);
}

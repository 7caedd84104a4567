/**
 * The tables that scheduling lives on, as plain rows. Times are epoch ms. What the statements do to them is in the files beside
 * this one; `statements.test.ts` holds them to the real statements on a real Postgres.
 */

import type { RetryRule } from "@nexus/shared/api/schemas";
import type { JobState } from "@nexus/shared/machines/job";
import type { TargetState } from "@nexus/shared/machines/target";
import type { GpuFacts, HostFacts } from "@nexus/shared/protocol/messages";
import type { QueueRow } from "../../../apps/web/src/server/db/queries/list-queues.ts";

export type JobTableRow = {
  id: number;
  publicId: string;
  teamId: string;
  queueId: number;
  userId: string;
  submitKey: string | null;
  name: string | null;
  command: string[];
  env: Record<string, string>;
  cwd: string | null;
  gpus: number;
  gpuMemoryMib: number | null;
  gpuModel: string | null;
  timeoutMs: number | null;
  graceMs: number;
  retry: RetryRule | null;
  retriesUsed: number;
  wantedTargetId: number | null;
  labels: Record<string, string>;
  priority: number;
  state: JobState;
  version: number;
  cancelRequestedAtMs: number | null;
  cancelGraceMs: number | null;
  attemptId: number | null;
  attemptNumber: number;
  targetId: number | null;
  gpuUuids: string[];
  exitCode: number | null;
  signal: string | null;
  message: string | null;
  logBytes: number;
  createdAtMs: number;
  assignedAtMs: number | null;
  startedAtMs: number | null;
  endedAtMs: number | null;
  unreachableSinceMs: number | null;
};

export type AttemptTableRow = {
  id: number;
  publicId: string;
  jobId: number;
  fence: number;
  targetId: number;
  pid: number | null;
  createdAtMs: number;
  startedAtMs: number | null;
  endedAtMs: number | null;
  endReason: string | null;
  exitCode: number | null;
  signal: string | null;
  message: string | null;
  logBytes: number | null;
  closedAtMs: number | null;
  estrangedAtMs: number | null;
  logGapAt: number | null;
};

export type LeaseRow = { gpuId: number; attemptId: number; memoryMib: number | null };
export type EventRow = {
  jobId: number;
  atMs: number;
  type: string;
  state: JobState;
  attemptId: number | null;
  actor: string;
  message: string;
};
export type TargetTableRow = {
  id: number;
  publicId: string;
  teamId: string;
  name: string;
  state: TargetState;
  stateSinceMs: number;
  cordoned: boolean;
  draining: boolean;
  labels: Record<string, string>;
  facts: HostFacts | null;
  createdAtMs: number;
  revokedAtMs: number | null;
  lastSeenAtMs: number | null;
  publicKey: string;
  generation: number;
  generationOffered: number;
};
export type GpuTableRow = {
  id: number;
  targetId: number;
  uuid: string;
  facts: GpuFacts;
  blocked: boolean;
  missingSinceMs: number | null;
};

export type ControlPlaneRow = { epoch: number; host: string; pid: number; url: string; home: string };

export type Tables = {
  /** The one that became active last. */
  controlPlane: ControlPlaneRow | null;
  users: Map<string, string>;
  queues: Map<number, QueueRow>;
  targets: Map<number, TargetTableRow>;
  gpus: Map<number, GpuTableRow>;
  jobs: Map<number, JobTableRow>;
  /** Jobs that are not over: what most statements look at. */
  liveJobs: Set<JobTableRow>;
  attempts: Map<number, AttemptTableRow>;
  openAttempts: Set<AttemptTableRow>;
  leases: LeaseRow[];
  events: EventRow[];
  /** The next value of each sequence. */
  sequences: { job: number; attempt: number; gpu: number };
};

export function newTables(): Tables {
  return {
    controlPlane: null,
    users: new Map(),
    queues: new Map(),
    targets: new Map(),
    gpus: new Map(),
    jobs: new Map(),
    liveJobs: new Set(),
    attempts: new Map(),
    openAttempts: new Set(),
    leases: [],
    events: [],
    sequences: { job: 1, attempt: 1, gpu: 1 },
  };
}

/** What Postgres answers where a row breaks a rule of its table. */
export class ConstraintError extends Error {
  readonly code: string;
  constructor(code: "23505" | "23503" | "23P01" | "NX001", what: string) {
    super(what);
    this.code = code;
  }
}

export const isActiveRow = ({ state }: JobTableRow): boolean =>
  state === "assigned" || state === "starting" || state === "running" || state === "unreachable";

/** Keeps the sets of what is not over. */
export function settleJob(tables: Tables, job: JobTableRow): void {
  if (job.state === "queued" || isActiveRow(job)) tables.liveJobs.add(job);
  else tables.liveJobs.delete(job);
}

import type { RetryRule } from "@nexus/shared/api/schemas";
import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import { gpu, target } from "./target.ts";
import { team } from "./team.ts";
import { user } from "./user.ts";

const JOB_STATE = [
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

/** A team-shared line of jobs. */
export const queue = pgTable(
  "queue",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    teamId: text("team_id")
      .notNull()
      .references(() => team.id, { onDelete: "cascade" }),
    name: text("name").notNull(),
    priority: integer("priority").notNull().default(0),
    paused: boolean("paused").notNull().default(false),
    /** Jobs of it that may run, and GPUs that they may hold, at once: of all together, and of one user. Null is no limit. */
    runningMax: integer("running_max"),
    gpusMax: integer("gpus_max"),
    userRunningMax: integer("user_running_max"),
    userGpusMax: integer("user_gpus_max"),
    /** Where its jobs may run. Targets by id, so that one that left is not taken for "anywhere". */
    selector: jsonb("selector")
      .$type<{ labels: Record<string, string>; targetIds: number[] }>()
      .notNull()
      .default({ labels: {}, targetIds: [] }),
    /** Its row stays, for the jobs that ended in it; the name is free again. */
    removedAt: timestamp("removed_at", { withTimezone: true }),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    uniqueIndex("queue_team_name").on(table.teamId, table.name).where(sql`${table.removedAt} is null`),
  ],
);

/**
 * One command to run once. `version` grows with every change of state; a writer names the version it saw, so a stale
 * decision changes nothing. The partial indexes keep the hot part (queued, active) small however long the history grows.
 */
export const job = pgTable(
  "job",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    publicId: text("public_id").notNull().unique(),
    teamId: text("team_id")
      .notNull()
      .references(() => team.id, { onDelete: "cascade" }),
    queueId: bigint("queue_id", { mode: "number" })
      .notNull()
      .references(() => queue.id),
    userId: text("user_id")
      .notNull()
      .references(() => user.id),
    /** One value a submission and position in it; a retried submission finds its jobs by it. */
    submitKey: text("submit_key"),
    name: text("name"),
    command: jsonb("command").$type<string[]>().notNull(),
    env: jsonb("env").$type<Record<string, string>>().notNull().default({}),
    cwd: text("cwd"),
    gpus: integer("gpus").notNull(),
    gpuMemoryMib: integer("gpu_memory_mib"),
    gpuModel: text("gpu_model"),
    timeoutMs: bigint("timeout_ms", { mode: "number" }),
    graceMs: integer("grace_ms").notNull(),
    /** When it is started again by itself; null never. */
    retry: jsonb("retry").$type<RetryRule>(),
    /** How often that was done. */
    retriesUsed: integer("retries_used").notNull().default(0),
    /** The target it must run on, when a person named one. */
    wantedTargetId: bigint("wanted_target_id", { mode: "number" }).references(() => target.id),
    labels: jsonb("labels").$type<Record<string, string>>().notNull().default({}),
    priority: integer("priority").notNull().default(0),

    state: text("state", { enum: JOB_STATE }).notNull().default("queued"),
    version: integer("version").notNull().default(1),
    cancelRequestedAt: timestamp("cancel_requested_at", { withTimezone: true }),
    cancelGraceMs: integer("cancel_grace_ms"),

    /**
     * The latest attempt, repeated here so that lists need no join. Its fence is `attemptNumber`. Null when it was given up: it
     * stays open, with its leases, until its node has told its end.
     */
    attemptId: bigint("attempt_id", { mode: "number" }),
    attemptNumber: integer("attempt_number").notNull().default(0),
    targetId: bigint("target_id", { mode: "number" }).references(() => target.id),
    gpuUuids: jsonb("gpu_uuids").$type<string[]>().notNull().default([]),
    exitCode: integer("exit_code"),
    signal: text("signal"),
    message: text("message"),
    logBytes: bigint("log_bytes", { mode: "number" }).notNull().default(0),

    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
    assignedAt: timestamp("assigned_at", { withTimezone: true }),
    startedAt: timestamp("started_at", { withTimezone: true }),
    endedAt: timestamp("ended_at", { withTimezone: true }),
    unreachableSince: timestamp("unreachable_since", { withTimezone: true }),
  },
  (table) => [
    uniqueIndex("job_submit_key")
      .on(table.teamId, table.submitKey)
      .where(sql`${table.submitKey} is not null`),
    index("job_queued")
      .on(table.teamId, table.priority.desc(), table.id)
      .where(sql`${table.state} = 'queued'`),
    index("job_active")
      .on(table.targetId)
      .where(sql`${table.state} in ('assigned','starting','running','unreachable')`),
    index("job_team_newest").on(table.teamId, table.id.desc()),
    index("job_ended").on(table.endedAt, table.id).where(sql`${table.endedAt} is not null`),
  ],
);

/** One try of a job. `fence` is its number within the job; only the highest may act. */
export const attempt = pgTable(
  "attempt",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    publicId: text("public_id").notNull().unique(),
    jobId: bigint("job_id", { mode: "number" })
      .notNull()
      .references(() => job.id, { onDelete: "cascade" }),
    fence: integer("fence").notNull(),
    targetId: bigint("target_id", { mode: "number" })
      .notNull()
      .references(() => target.id),
    pid: integer("pid"),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
    startedAt: timestamp("started_at", { withTimezone: true }),
    endedAt: timestamp("ended_at", { withTimezone: true }),
    endReason: text("end_reason"),
    exitCode: integer("exit_code"),
    signal: text("signal"),
    message: text("message"),
    /** Final size that the agent reported; the log is whole when the store holds as much. */
    logBytes: bigint("log_bytes", { mode: "number" }),
    /** From this byte on output may be missing: its node's disk was full. */
    logGapAt: bigint("log_gap_at", { mode: "number" }),
    /** All is durable here and the agent was told to forget it. */
    closedAt: timestamp("closed_at", { withTimezone: true }),
    /** Sent, not known to have begun, and its node is back as another machine: a copy must not begin it a second time. */
    estrangedAt: timestamp("estranged_at", { withTimezone: true }),
    /** When retention took its log. */
    logRemovedAt: timestamp("log_removed_at", { withTimezone: true }),
  },
  (table) => [
    uniqueIndex("attempt_job_fence").on(table.jobId, table.fence),
    index("attempt_log_kept")
      .on(table.closedAt)
      .where(sql`${table.closedAt} is not null and ${table.logRemovedAt} is null and ${table.logBytes} > 0`),
    index("attempt_open").on(table.targetId).where(sql`${table.closedAt} is null`),
  ],
);

/**
 * Who holds a GPU. A row with `memory_mib` null holds the whole device, and the partial unique index lets one such row
 * exist; rows with memory share it, and the placing statement checks their sum. No counter anywhere.
 */
export const gpuLease = pgTable(
  "gpu_lease",
  {
    gpuId: bigint("gpu_id", { mode: "number" })
      .notNull()
      .references(() => gpu.id, { onDelete: "cascade" }),
    attemptId: bigint("attempt_id", { mode: "number" })
      .notNull()
      .references(() => attempt.id, { onDelete: "cascade" }),
    memoryMib: integer("memory_mib"),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.attemptId, table.gpuId] }),
    uniqueIndex("gpu_lease_whole").on(table.gpuId).where(sql`${table.memoryMib} is null`),
    index("gpu_lease_gpu").on(table.gpuId),
  ],
);

/** Who did what to a job, and when. */
export const jobEvent = pgTable(
  "job_event",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    jobId: bigint("job_id", { mode: "number" })
      .notNull()
      .references(() => job.id, { onDelete: "cascade" }),
    at: timestamp("at", { withTimezone: true }).notNull().defaultNow(),
    type: text("type").notNull(),
    state: text("state", { enum: JOB_STATE }).notNull(),
    attemptId: bigint("attempt_id", { mode: "number" }),
    actor: text("actor").notNull(),
    message: text("message").notNull(),
  },
  (table) => [index("job_event_job").on(table.jobId, table.id)],
);

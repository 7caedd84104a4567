/** Nouns of the API as zod schemas. Times are epoch ms of the control plane's clock, `…AtMs`; sizes say their unit. */
import * as z from "zod";
import { JOB_STATES } from "../machines/job.ts";
import { TARGET_STATES } from "../machines/target.ts";
import {
  COMMAND_BYTES_MAX,
  ENV_BYTES_MAX,
  ENV_ITEMS_MAX,
  GPUS_PER_JOB_MAX,
  LABELS_MAX,
} from "../protocol/limits.ts";
import {
  ENV_NAME,
  gpuFactsSchema,
  type gpuSampleSchema,
  type hostFactsSchema,
  type hostSampleSchema,
  LABEL_KEY,
  LABEL_VALUE,
} from "../protocol/messages.ts";
import { ROLES } from "../roles.ts";
import type { WaitingReason } from "../scheduler/reason.ts";

export const NAME = /^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/;
export const nameSchema = z
  .string()
  .regex(NAME, "1 to 63 of a-z 0-9 . _ -, beginning and ending with a letter or digit");

export const labelsSchema = z
  .record(
    z.string().regex(LABEL_KEY, "a label's name has 1 to 63 of a-z A-Z 0-9 . _ / -"),
    z.string().regex(LABEL_VALUE, "a label's value has up to 63 of a-z A-Z 0-9 . _ -"),
  )
  .refine((labels) => Object.keys(labels).length <= LABELS_MAX, `at most ${LABELS_MAX} labels`);

/** Every team has it; jobs that name no queue join it. */
export const DEFAULT_QUEUE = "default";

const noNul = (text: string) => !text.includes("\0");

const commandSchema = z
  .array(z.string().refine(noNul, "a command cannot contain a NUL byte"))
  .min(1, "a job needs a command")
  .max(4096)
  .refine((argv) => argv[0] !== "", "the program's name is empty")
  .refine(
    (argv) => argv.reduce((sum, arg) => sum + arg.length, 0) <= COMMAND_BYTES_MAX,
    "the command is too long",
  );

const envSchema = z
  .record(
    z.string().regex(ENV_NAME, "not a name of an environment variable"),
    z.string().refine(noNul, "a variable cannot contain a NUL byte"),
  )
  .refine((env) => Object.keys(env).length <= ENV_ITEMS_MAX, `at most ${ENV_ITEMS_MAX} variables`)
  .refine(
    (env) =>
      Object.entries(env).reduce((sum, [key, value]) => sum + key.length + value.length, 0) <= ENV_BYTES_MAX,
    `at most ${ENV_BYTES_MAX} characters of environment`,
  );

export const LOST_AFTER_MS = { min: 10_000, max: 30 * 86_400_000, default: 10 * 60_000 };
export const RETRY_ATTEMPTS_MAX = 100;

/**
 * When a job is started again by itself. `lost`: its node was silent for `lostAfterMs`. The attempt there may still be running,
 * and two may overlap until that node is back and its own is stopped; so nothing is retried unless the job says so.
 */
export const retrySchema = z.object({
  on: z.array(z.enum(["lost"])).length(1),
  /** How often it may be started again. */
  attempts: z.int().min(1).max(RETRY_ATTEMPTS_MAX),
  lostAfterMs: z.int().min(LOST_AFTER_MS.min).max(LOST_AFTER_MS.max).default(LOST_AFTER_MS.default),
});
export type RetryRule = z.output<typeof retrySchema>;

/** What a person asks for. Absent fields take the queue's or the fleet's defaults. */
export const jobSpecSchema = z.object({
  command: commandSchema,
  name: z.string().trim().min(1).max(120).optional(),
  env: envSchema.default({}),
  cwd: z
    .string()
    .max(4096)
    .refine(noNul, "a path cannot contain a NUL byte")
    .refine((path) => /^(\/|~(\/|$))/.test(path), "begin it with / or ~/: it is a folder on the target")
    .optional(),
  /** Default: 1 where a matching target has GPUs, 0 on a fleet without any. */
  gpus: z.int().min(0).max(GPUS_PER_JOB_MAX).optional(),
  /** Memory that each GPU must have free, MiB. Jobs that name it may share a GPU. */
  gpuMemoryMib: z.int().positive().max(1_000_000_000).optional(),
  /** Part of the GPU's name, case-insensitive: "h100". */
  gpuModel: z.string().min(1).max(80).optional(),
  timeoutMs: z
    .int()
    .min(1000)
    .max(366 * 86_400_000)
    .optional(),
  /** TERM to KILL. */
  graceMs: z.int().min(0).max(3_600_000).default(10_000),
  retry: retrySchema.optional(),
  /** A target's name or id. */
  target: z.string().min(1).max(80).optional(),
  labels: labelsSchema.default({}),
  queue: nameSchema.default(DEFAULT_QUEUE),
  /** Higher goes first. */
  priority: z.int().min(-1000).max(1000).default(0),
});
export type JobSpec = z.output<typeof jobSpecSchema>;
export type JobSpecInput = z.input<typeof jobSpecSchema>;

const ms = z.number();

/** Why a job's log is not all that it wrote, or does not come. */
export const logTroubleSchema = z.object({
  /**
   * `node_disk_full`: its node had no room, so output may be missing from byte `offset` on, for good. `store_full`,
   * `store_failing`: the control plane cannot store more of it now; the node keeps the rest. `held`: it cannot start.
   * `removed`: retention took all of it.
   */
  code: z.enum(["node_disk_full", "store_full", "store_failing", "held", "removed"]),
  /** A sentence without its full stop. */
  message: z.string(),
  offset: z.number().nullable(),
});
export type LogTrouble = z.infer<typeof logTroubleSchema>;

export const jobSchema = z.object({
  id: z.string(),
  name: z.string().nullable(),
  state: z.enum(JOB_STATES),
  command: z.array(z.string()),
  /** Names only where the reader may not see values. */
  env: z.record(z.string(), z.string()),
  cwd: z.string().nullable(),
  gpus: z.int(),
  gpuMemoryMib: z.int().nullable(),
  gpuModel: z.string().nullable(),
  timeoutMs: z.int().nullable(),
  graceMs: z.int(),
  /** `used`: how often it was started again by it. */
  retry: retrySchema.extend({ lostAfterMs: z.int(), used: z.int() }).nullable(),
  wantedTarget: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  queue: z.string(),
  priority: z.int(),
  user: z.object({ id: z.string(), name: z.string() }),
  /** Where it runs or ran. */
  target: z.object({ id: z.string(), name: z.string() }).nullable(),
  gpuUuids: z.array(z.string()),
  attempt: z.string().nullable(),
  attemptNumber: z.int(),
  /** Why it waits, while queued. */
  reason: z
    .custom<WaitingReason>((value) => typeof value === "object" && value !== null && "code" in value)
    .nullable(),
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  /** A sentence on how it ended, when the exit code does not say it all. */
  message: z.string().nullable(),
  cancelRequested: z.boolean(),
  logBytes: z.number(),
  logTroubles: z.array(logTroubleSchema),
  createdAtMs: ms,
  assignedAtMs: ms.nullable(),
  startedAtMs: ms.nullable(),
  endedAtMs: ms.nullable(),
  /** Since when its node is silent, while unreachable. */
  unreachableSinceMs: ms.nullable(),
});
export type Job = z.infer<typeof jobSchema>;

export const jobEventSchema = z.object({
  atMs: ms,
  /** `submitted`, a job event of the machine, or `noted`. */
  type: z.string(),
  state: z.enum(JOB_STATES),
  attempt: z.string().nullable(),
  /** The person or the part that did it: a user's name, `scheduler`, a target's name. */
  actor: z.string(),
  message: z.string(),
});
export type JobTimelineEvent = z.infer<typeof jobEventSchema>;

const gpuHolderSchema = z.object({
  job: z.string(),
  user: z.string(),
  gpuMemoryMib: z.int().nullable(),
});

export const gpuSchema = z.object({
  ...gpuFactsSchema.shape,
  blocked: z.boolean(),
  sample: z.custom<z.infer<typeof gpuSampleSchema>>().nullable(),
  sampledAtMs: ms.nullable(),
  /** Jobs that hold it or a share of its memory. */
  holders: z.array(gpuHolderSchema),
});
export type Gpu = z.infer<typeof gpuSchema>;

export const targetSchema = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.enum(["agent", "ssh"]),
  state: z.enum(TARGET_STATES),
  /** Since when it is in `state`. */
  stateSinceMs: ms,
  cordoned: z.boolean(),
  draining: z.boolean(),
  labels: z.record(z.string(), z.string()),
  facts: z.custom<z.infer<typeof hostFactsSchema>>().nullable(),
  host: z.custom<z.infer<typeof hostSampleSchema>>().nullable(),
  gpus: z.array(gpuSchema),
  jobsActive: z.int(),
  /** Latest trouble that a person should see. */
  notice: z
    .object({ level: z.enum(["info", "warning", "error"]), code: z.string(), message: z.string(), atMs: ms })
    .nullable(),
  lastSeenAtMs: ms.nullable(),
  createdAtMs: ms,
});
export type Target = z.infer<typeof targetSchema>;

const limitSchema = z.int().min(0).max(1_000_000).nullable();

/** Where a queue's jobs may run: on targets with all the labels and, when it names targets, on those only. */
const queueSelectorSchema = z.object({
  labels: labelsSchema.default({}),
  targets: z.array(z.string().min(1).max(80)).max(1000).default([]),
});

/** What a person sets of a queue. What is absent stays as it is, or, of a new one, begins as the plainest queue has it. */
export const queueSpecSchema = z.object({
  /** Higher goes first. */
  priority: z.int().min(-1000).max(1000).optional(),
  paused: z.boolean().optional(),
  /** Jobs that may run, and GPUs that they may hold, at once: of all together, and of one person. Null is no limit. */
  runningMax: limitSchema.optional(),
  gpusMax: limitSchema.optional(),
  userRunningMax: limitSchema.optional(),
  userGpusMax: limitSchema.optional(),
  selector: queueSelectorSchema.optional(),
});

export const queueSchema = z.object({
  name: z.string(),
  priority: z.int(),
  paused: z.boolean(),
  runningMax: z.int().nullable(),
  gpusMax: z.int().nullable(),
  userRunningMax: z.int().nullable(),
  userGpusMax: z.int().nullable(),
  selector: z.object({ labels: z.record(z.string(), z.string()), targets: z.array(z.string()) }),
  /** Targets of the fleet that the selector lets its jobs run on, connected or not. */
  targetsSelected: z.int(),
  queued: z.int(),
  running: z.int(),
  /** That its running jobs hold; a share counts as one. */
  gpusHeld: z.int(),
  /** The queued job that was added first, whatever its place in the line. */
  waitsLongest: z.object({ job: z.string(), user: z.string(), sinceMs: ms }).nullable(),
});
export type Queue = z.infer<typeof queueSchema>;

export const enrollTokenSchema = z.object({
  id: z.string(),
  name: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  uses: z.int(),
  usesMax: z.int(),
  state: z.enum(["live", "used", "expired", "revoked"]),
  createdBy: z.string(),
  createdAtMs: ms,
  expiresAtMs: ms,
  /** Nodes that came with it. */
  targets: z.array(z.object({ id: z.string(), name: z.string() })),
});
export type EnrollToken = z.infer<typeof enrollTokenSchema>;

export const memberSchema = z.object({
  userId: z.string(),
  name: z.string(),
  email: z.string(),
  role: z.enum(ROLES),
  joinedAtMs: ms,
});
export const auditEventSchema = z.object({
  atMs: ms,
  actor: z.string(),
  action: z.string(),
  subject: z.string(),
  detail: z.string(),
});
export const apiKeySchema = z.object({
  id: z.string(),
  name: z.string(),
  /** The most that it may do; null is whatever its owner may. */
  role: z.enum(ROLES).nullable(),
  createdAtMs: ms,
  lastUsedAtMs: ms.nullable(),
  expiresAtMs: ms.nullable(),
});

export const gpuPointSchema = z.object({
  atMs: ms,
  uuid: z.string(),
  memoryUsedMib: z.number().nullable(),
  utilizationPct: z.number().nullable(),
  powerW: z.number().nullable(),
  temperatureC: z.number().nullable(),
});
export type GpuPoint = z.infer<typeof gpuPointSchema>;

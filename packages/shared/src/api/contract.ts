/**
 * The API: every procedure's kind, least role, input and output. The control plane builds its routers from this table and
 * checks roles from it; the CLI and the dashboard call it. No procedure exists beside it.
 *
 * Raw bytes and streams are plain HTTP, with the same authentication (cookie, or `authorization: Bearer`):
 *   GET /api/v1/jobs/<id>/log?offset=N&limit=M   bytes, headers x-log-offset, x-log-size, x-log-end (0|1)
 *   GET /api/v1/jobs/<id>/log?follow=1&offset=N  stays open until the job's log has ended; `tail=N` starts N lines back,
 *                                                `since=N` with what came in the last N ms
 *                                                Breaks off when the log's troubles change, and when the job is started
 *                                                again: come again where it stood, with `attempt=` of x-log-attempt
 *   GET /api/v1/jobs/<id>/log?try=N              the log of an earlier try of a job that was started again
 *   Each answer says in x-log-troubles why the log is not whole or not growing (see `decodeLogTroubles`).
 *   POST /api/v1/jobs/<id>/log/search            what matches, by `log-search.ts`
 *   GET /api/v1/jobs/<id>/log?download=1         the whole as an attachment
 *   GET /healthz, /readyz, /api/v1/version
 *   GET /ws/tunnel?target=T                      a WebSocket, with a key: connections to services of T, by `tunnel-mux.ts`
 */
import * as z from "zod";
import { JOB_STATES } from "../machines/job.ts";
import { ROLES, type Role } from "../roles.ts";
import {
  apiKeySchema,
  auditEventSchema,
  enrollTokenSchema,
  gpuPointSchema,
  jobEventSchema,
  jobSchema,
  jobSpecSchema,
  labelsSchema,
  memberSchema,
  nameSchema,
  queueSchema,
  queueSpecSchema,
  targetSchema,
} from "./schemas.ts";
import {
  sshFoundHostSchema,
  sshHostKeySchema,
  sshReadHostsSchema,
  sshRunSchema,
  sshStartSchema,
  sshWaySchema,
} from "./ssh.ts";

type Procedure = {
  kind: "query" | "mutation" | "subscription";
  role: Role;
  input: z.ZodType;
  output: z.ZodType;
};

const none = z.void();
const id = z.string().min(1).max(80);
const ok = z.object({ ok: z.literal(true) });
/** A moment that the database can hold: up to the year 9999. */
const momentMs = z.number().min(0).max(253_402_300_799_999);
const KEY_LIFE_MS_MAX = 100 * 366 * 86_400_000;

const jobFilterSchema = z.object({
  states: z.array(z.enum(JOB_STATES)).optional(),
  /** User id, or "me". */
  user: z.string().optional(),
  target: z.string().optional(),
  queue: z.string().optional(),
  /** Part of the id, name or command, case-insensitive. */
  text: z.string().max(200).optional(),
});

export const contract = {
  "me.get": {
    kind: "query",
    role: "viewer",
    input: none,
    output: z.object({
      user: z.object({ id: z.string(), name: z.string(), email: z.string() }),
      team: z.object({ id: z.string(), name: z.string() }),
      role: z.enum(ROLES),
      teams: z.array(z.object({ id: z.string(), name: z.string(), role: z.enum(ROLES) })),
      server: z.object({ version: z.string(), url: z.string(), fingerprint: z.string() }),
    }),
  },

  /** How the control plane itself fares, for `nexus doctor`. */
  "server.health": {
    kind: "query",
    role: "viewer",
    input: none,
    output: z.object({
      version: z.string(),
      nodeVersion: z.string(),
      database: z.object({
        version: z.string(),
        isEmbedded: z.boolean(),
        sizeBytes: z.number(),
        /** For the least question. */
        tookMs: z.number(),
      }),
      /** Of the disk with the control plane's home. */
      disk: z.object({ path: z.string(), freeMib: z.number(), totalMib: z.number() }).nullable(),
      ssh: z.object({
        /** `native`: ssh2's own addon. `node`: node:crypto, which needs no install script. */
        path: z.enum(["native", "node"]),
        hasFastCiphers: z.boolean(),
        text: z.string(),
        hasSystemSsh: z.boolean(),
      }),
      nowMs: z.number(),
    }),
  },

  "fleet.list": {
    kind: "query",
    role: "viewer",
    input: none,
    output: z.object({
      targets: z.array(targetSchema),
      /** What is wrong with the control plane itself, for everyone to see. */
      problems: z.array(z.object({ code: z.string(), message: z.string() })),
      nowMs: z.number(),
    }),
  },
  /** First the whole fleet, then changed targets and removed ids; at most about four a second. */
  "fleet.watch": {
    kind: "subscription",
    role: "viewer",
    input: none,
    output: z.object({
      snapshot: z.boolean(),
      targets: z.array(targetSchema),
      removed: z.array(z.string()),
      queued: z.int(),
      running: z.int(),
      nowMs: z.number(),
    }),
  },
  "targets.get": { kind: "query", role: "viewer", input: z.object({ target: id }), output: targetSchema },
  "targets.rename": {
    kind: "mutation",
    role: "admin",
    input: z.object({ target: id, name: nameSchema }),
    output: targetSchema,
  },
  "targets.label": {
    kind: "mutation",
    role: "admin",
    input: z.object({ target: id, labels: labelsSchema }),
    output: targetSchema,
  },
  "targets.cordon": {
    kind: "mutation",
    role: "admin",
    input: z.object({ target: id, cordoned: z.boolean(), drain: z.boolean().default(false) }),
    output: targetSchema,
  },
  /** Revokes the node: its socket is closed and its key is worth nothing from now on. Refused while jobs run, unless forced. */
  "targets.remove": {
    kind: "mutation",
    role: "admin",
    input: z.object({ target: id, force: z.boolean().default(false) }),
    output: ok,
  },
  "targets.blockGpu": {
    kind: "mutation",
    role: "admin",
    input: z.object({ target: id, uuid: z.string(), blocked: z.boolean() }),
    output: targetSchema,
  },
  "targets.samples": {
    kind: "query",
    role: "viewer",
    input: z.object({ target: id, sinceMs: momentMs, untilMs: momentMs.optional() }),
    output: z.object({ points: z.array(gpuPointSchema) }),
  },

  "enrollTokens.create": {
    kind: "mutation",
    role: "admin",
    input: z.object({
      name: nameSchema.optional(),
      labels: labelsSchema.default({}),
      usesMax: z.int().min(1).max(10_000).default(1),
      ttlMs: z
        .int()
        .min(60_000)
        .max(30 * 86_400_000)
        .default(30 * 60_000),
      /** Reinstall this node: its history is kept. */
      target: id.optional(),
    }),
    output: z.object({
      enrollToken: enrollTokenSchema,
      /** Shown once; the server keeps only its public half. */
      secret: z.string(),
      /** With the published package. */
      command: z.string(),
      /** With the package that this control plane serves; null where npx would not trust its certificate, or none was built. */
      fromHere: z.object({ command: z.string(), sha256: z.string() }).nullable(),
    }),
  },
  "enrollTokens.list": { kind: "query", role: "admin", input: none, output: z.array(enrollTokenSchema) },
  "enrollTokens.revoke": {
    kind: "mutation",
    role: "admin",
    input: z.object({ id }),
    output: enrollTokenSchema,
  },

  /** Machines are reached by SSH from the control plane and made targets, or given back. Safe to repeat. */
  "ssh.start": {
    kind: "mutation",
    role: "admin",
    input: sshStartSchema,
    output: z.object({ id: z.string() }),
  },
  /** What was told after `after`; answers when there is something, the run has ended, or `waitMs` is over. */
  "ssh.read": {
    kind: "query",
    role: "admin",
    input: z.object({ id, after: z.int().min(0).default(0), waitMs: z.int().min(0).max(25_000).default(0) }),
    output: sshRunSchema,
  },
  /** First the whole run, then what is new. Ends with the run. */
  "ssh.watch": {
    kind: "subscription",
    role: "admin",
    input: z.object({ id }),
    output: sshRunSchema.extend({ snapshot: z.boolean() }),
  },
  /** About the key of a new host: the fingerprint that the person saw is named again. */
  "ssh.answer": {
    kind: "mutation",
    role: "admin",
    input: z.object({ id, host: z.int().min(0), fingerprint: z.string().max(100), accept: z.boolean() }),
    output: ok,
  },
  "ssh.cancel": { kind: "mutation", role: "admin", input: z.object({ id }), output: ok },
  /** The machines of a list or an inventory. */
  "ssh.readHosts": {
    kind: "query",
    role: "admin",
    input: sshReadHostsSchema,
    output: z.object({
      hosts: z.array(sshFoundHostSchema),
      problems: z.array(z.object({ line: z.int(), message: z.string() })),
    }),
  },
  /** How the team's targets are reached over SSH, and how each transport does. */
  "ssh.ways": { kind: "query", role: "admin", input: none, output: z.array(sshWaySchema) },
  "ssh.hostKeys": { kind: "query", role: "admin", input: none, output: z.array(sshHostKeySchema) },
  /** The only way on after a host's key changed. The old key is never accepted again. */
  "ssh.replaceHostKey": {
    kind: "mutation",
    role: "admin",
    input: z.object({
      name: z.string().min(1).max(300),
      /** Fingerprints of the known key and of the refused one, as the person compared them. */
      old: z.string().max(100),
      new: z.string().max(100),
      reason: z.string().trim().min(1).max(500),
    }),
    output: sshHostKeySchema,
  },

  "jobs.submit": {
    kind: "mutation",
    role: "member",
    input: z.object({
      jobs: z.array(jobSpecSchema).min(1).max(1000),
      /** The same key answers with the jobs of the first submission, so that a retry after a cut never submits twice. */
      submitKey: z.string().min(8).max(100).optional(),
      /** Refuse (`target_busy`, `target_offline`, `unsatisfiable`) rather than wait in line. */
      immediate: z.boolean().default(false),
    }),
    output: z.object({ jobs: z.array(jobSchema) }),
  },
  /** What submitting would do now, without doing it. */
  "jobs.preview": {
    kind: "query",
    role: "member",
    input: jobSpecSchema,
    output: z.object({
      startsNow: z.boolean(),
      target: z.string().nullable(),
      sentence: z.string(),
      gpus: z.int(),
      /** False where no target of the fleet could run it, whatever ends or comes back: then only a change of either helps. */
      canEverRun: z.boolean(),
    }),
  },
  "jobs.get": { kind: "query", role: "viewer", input: z.object({ job: id }), output: jobSchema },
  "jobs.list": {
    kind: "query",
    role: "viewer",
    input: jobFilterSchema.extend({
      limit: z.int().min(1).max(1000).default(100),
      /** From the previous page's `next`. */
      cursor: z.string().optional(),
      /** Queued jobs in the order they will be taken; otherwise newest first. */
      order: z.enum(["newest", "line"]).default("newest"),
    }),
    output: z.object({ jobs: z.array(jobSchema), next: z.string().nullable(), total: z.int() }),
  },
  /** Jobs that changed since the subscription began; a first message gives counts. The reader re-lists what it shows. */
  "jobs.watch": {
    kind: "subscription",
    role: "viewer",
    input: none,
    output: z.object({
      changed: z.array(jobSchema),
      counts: z.record(z.string(), z.int()),
      nowMs: z.number(),
    }),
  },
  /** One job, at once and on every change, with its log's size. Ends after the job ended and its log is complete. */
  "jobs.follow": {
    kind: "subscription",
    role: "viewer",
    input: z.object({ job: id }),
    output: z.object({ job: jobSchema, logBytes: z.number(), logEnded: z.boolean() }),
  },
  "jobs.events": {
    kind: "query",
    role: "viewer",
    input: z.object({ job: id }),
    output: z.array(jobEventSchema),
  },
  /** Samples of the job's GPUs while it ran. */
  "jobs.samples": {
    kind: "query",
    role: "viewer",
    input: z.object({ job: id }),
    output: z.object({ points: z.array(gpuPointSchema) }),
  },
  /** Members end their own jobs, admins anyone's. */
  "jobs.cancel": {
    kind: "mutation",
    role: "member",
    input: z.object({
      jobs: z.array(id).min(1).max(1000),
      graceMs: z.int().min(0).max(3_600_000).optional(),
    }),
    output: z.object({
      results: z.array(
        z.object({
          job: z.string(),
          ok: z.boolean(),
          message: z.string(),
          /** An error code, where it was refused. */
          code: z.string().optional(),
        }),
      ),
    }),
  },

  /**
   * Puts jobs back in the line: of one whose node is silent the attempt there is given up, and may run on until that node is back;
   * of one that is over another job is made. Members their own jobs, admins anyone's.
   */
  "jobs.requeue": {
    kind: "mutation",
    role: "member",
    input: z.object({
      jobs: z.array(id).min(1).max(1000),
      /** As of `jobs.submit`, for the jobs that are made. */
      submitKey: z.string().min(8).max(100).optional(),
    }),
    output: z.object({
      results: z.array(
        z.object({
          job: z.string(),
          ok: z.boolean(),
          message: z.string(),
          /** The job that waits now: the same one, or the one that was made. */
          queued: z.string().nullable(),
          /** An error code, where it was refused. */
          code: z.string().optional(),
        }),
      ),
    }),
  },

  /** Other queues and places in the line for jobs that wait. Members move their own, admins anyone's. */
  "jobs.move": {
    kind: "mutation",
    role: "member",
    input: z
      .object({
        jobs: z.array(id).min(1).max(1000),
        queue: nameSchema.optional(),
        /** Higher goes first. */
        priority: z.int().min(-1000).max(1000).optional(),
        /** Above all that wait in its queue, instead of a priority. */
        top: z.boolean().default(false),
      })
      .refine(
        ({ queue, priority, top }) => queue !== undefined || priority !== undefined || top,
        "say where to: a queue, a priority, or the top",
      ),
    output: z.object({
      results: z.array(z.object({ job: z.string(), ok: z.boolean(), message: z.string() })),
    }),
  },

  "queues.list": { kind: "query", role: "viewer", input: none, output: z.array(queueSchema) },
  "queues.put": {
    kind: "mutation",
    role: "admin",
    input: queueSpecSchema.extend({
      name: nameSchema,
      /** Refused (`conflict`, `not_found`) when there is such a queue, or when there is none. */
      only: z.enum(["new", "existing"]).optional(),
    }),
    output: queueSchema,
  },
  /** What waits or runs in it goes on in `moveTo`; without that it must be empty. Jobs that ended keep its name. */
  "queues.remove": {
    kind: "mutation",
    role: "admin",
    input: z.object({ name: nameSchema, moveTo: nameSchema.optional() }),
    output: z.object({ ok: z.literal(true), moved: z.int() }),
  },

  "members.list": { kind: "query", role: "viewer", input: none, output: z.array(memberSchema) },
  "members.add": {
    kind: "mutation",
    role: "admin",
    input: z.object({ email: z.email(), name: z.string().min(1).max(120), role: z.enum(ROLES) }),
    /** A one-time sign-in link for the new member, shown once. */
    output: z.object({ member: memberSchema, link: z.string() }),
  },
  "members.setRole": {
    kind: "mutation",
    role: "admin",
    input: z.object({ userId: id, role: z.enum(ROLES) }),
    output: memberSchema,
  },
  "members.remove": { kind: "mutation", role: "admin", input: z.object({ userId: id }), output: ok },

  "apiKeys.list": { kind: "query", role: "viewer", input: none, output: z.array(apiKeySchema) },
  "apiKeys.create": {
    kind: "mutation",
    role: "viewer",
    input: z.object({
      name: z.string().min(1).max(80),
      /** At most the caller's own; without it the key may do whatever its owner may. */
      role: z.enum(ROLES).optional(),
      expiresInMs: z.int().min(60_000).max(KEY_LIFE_MS_MAX).optional(),
    }),
    output: z.object({ apiKey: apiKeySchema, secret: z.string() }),
  },
  "apiKeys.revoke": { kind: "mutation", role: "viewer", input: z.object({ id }), output: ok },

  "audit.list": {
    kind: "query",
    role: "admin",
    input: z.object({ limit: z.int().min(1).max(500).default(100), beforeMs: momentMs.optional() }),
    output: z.array(auditEventSchema),
  },
} as const satisfies Record<string, Procedure>;

export type ProcedureName = keyof typeof contract;
export type InputOf<P extends ProcedureName> = z.input<(typeof contract)[P]["input"]>;
export type OutputOf<P extends ProcedureName> = z.output<(typeof contract)[P]["output"]>;

/** What every tRPC error carries in `error.data`. */
export type ErrorData = { code: string; nexusCode: import("../errors.ts").ErrorCode; retryAfterMs?: number };

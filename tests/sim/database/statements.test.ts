/**
 * Ties the simulated database to the real one: random sequences of statements run against both, and every answer, every refusal
 * and the tables at the end must be equal. Row numbers may differ, so rows go by their public ids.
 */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Client, createDb } from "../../../apps/web/src/server/db/client.ts";
import { cancelJobs } from "../../../apps/web/src/server/db/queries/cancel-jobs.ts";
import { closeAttempts } from "../../../apps/web/src/server/db/queries/close-attempts.ts";
import { confirmGeneration } from "../../../apps/web/src/server/db/queries/confirm-generation.ts";
import { endAttempts } from "../../../apps/web/src/server/db/queries/end-attempts.ts";
import { estrangeAttempts } from "../../../apps/web/src/server/db/queries/estrange-attempts.ts";
import { findAttempts } from "../../../apps/web/src/server/db/queries/find-attempts.ts";
import { findJobs } from "../../../apps/web/src/server/db/queries/find-jobs.ts";
import { findJobsBySubmitKey } from "../../../apps/web/src/server/db/queries/find-jobs-by-submit-key.ts";
import { findNodeKey } from "../../../apps/web/src/server/db/queries/find-node-key.ts";
import { insertJobs } from "../../../apps/web/src/server/db/queries/insert-jobs.ts";
import { listLiveJobs } from "../../../apps/web/src/server/db/queries/list-live-jobs.ts";
import { listOpenAttempts } from "../../../apps/web/src/server/db/queries/list-open-attempts.ts";
import { listRunTimes } from "../../../apps/web/src/server/db/queries/list-run-times.ts";
import { listStartSpecs } from "../../../apps/web/src/server/db/queries/list-start-specs.ts";
import { listUsage } from "../../../apps/web/src/server/db/queries/list-usage.ts";
import { liveChecksum } from "../../../apps/web/src/server/db/queries/live-checksum.ts";
import { moveJobs } from "../../../apps/web/src/server/db/queries/move-jobs.ts";
import { offerGeneration } from "../../../apps/web/src/server/db/queries/offer-generation.ts";
import { placeJobs } from "../../../apps/web/src/server/db/queries/place-jobs.ts";
import { putGpus } from "../../../apps/web/src/server/db/queries/put-gpus.ts";
import { recordLogGaps } from "../../../apps/web/src/server/db/queries/record-log-gaps.ts";
import { recordStarted } from "../../../apps/web/src/server/db/queries/record-started.ts";
import { requeueJobs } from "../../../apps/web/src/server/db/queries/requeue-jobs.ts";
import { setTargetStates } from "../../../apps/web/src/server/db/queries/set-target-states.ts";
import { takeUpAttempts } from "../../../apps/web/src/server/db/queries/take-up-attempts.ts";
import {
  createTestDatabase,
  type TestDatabase,
} from "../../../apps/web/src/server/db/testing/test-database.ts";
import { perform } from "./statements.ts";
import { newTables, type Tables } from "./tables.ts";
import { chooseStep, type Names, stepArbitrary } from "./testing/statement-steps.ts";

const T0_MS = 1_800_000_000_000;
const GPU_MIB = 80_000;
const EPOCHS = [1, 2] as const;

const SQL = {
  cancelJobs,
  closeAttempts,
  endAttempts,
  estrangeAttempts,
  findAttempts,
  findJobs,
  findJobsBySubmitKey,
  insertJobs,
  listLiveJobs,
  listOpenAttempts,
  listRunTimes,
  listStartSpecs,
  listUsage,
  liveChecksum,
  moveJobs,
  placeJobs,
  putGpus,
  recordLogGaps,
  recordStarted,
  requeueJobs,
  setTargetStates,
  takeUpAttempts,
};
const DRIZZLE = { confirmGeneration, findNodeKey, offerGeneration };

let db: TestDatabase;
let sessions: Client[];
let queueId: number;
beforeAll(async () => {
  db = await createTestDatabase();
  sessions = EPOCHS.map((epoch) => createDb(db.address, epoch));
  await db.sql`insert into team (id, name) values ('tm', 'Lab')`;
  await db.sql`insert into "user" (id, name, email) values ('u', 'ada', 'ada@lab.test')`;
  const [queue] = await db.sql<{ id: number }[]>`
    insert into queue (team_id, name) values ('tm', 'default') returning id::float8 as id`;
  queueId = queue?.id ?? 0;
});
afterAll(async () => {
  for (const session of sessions) await session.close();
  await db.close();
});

test("[W63] random statements do the same to the simulated tables and to Postgres", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(stepArbitrary, { minLength: 5, maxLength: 40 }), async (steps) => {
      const real = await freshReal();
      const model = freshModel(real);
      let nowMs = T0_MS;
      let present: number = EPOCHS[0];
      for (const step of steps) {
        nowMs += 1_000;
        if (step.kind === "epoch") {
          // Another control plane becomes active.
          present = EPOCHS[1];
          await db.sql`update control_plane set epoch = ${present}`;
          if (model.controlPlane) model.controlPlane.epoch = present;
          continue;
        }
        const asked = chooseStep(step, namesOf(model), nowMs);
        const epoch = step.isOld ? EPOCHS[0] : present;
        const expected = await answerOf(async () => await askReal(epoch, asked(await realIds())));
        const got = await answerOf(async () => perform(model, epoch, asked(modelIds(model))));
        expect(plain(got), step.kind).toEqual(plain(expected));
      }
      expect(plain(tablesOf(model))).toEqual(plain(await realTables()));
    }),
    { numRuns: 40 },
  );
});

/** An answer or a refusal, in a form that both sides share. */
async function answerOf(ask: () => Promise<unknown>): Promise<unknown> {
  try {
    return (await ask()) ?? null;
  } catch (error) {
    const { code } = error as { code?: string };
    const cause = (error as { cause?: { code?: string } }).cause?.code;
    if (code === undefined && cause === undefined) throw error;
    return { refused: cause ?? code };
  }
}

async function askReal(epoch: number, [name, ...values]: [string, ...unknown[]]): Promise<unknown> {
  const session = sessions[EPOCHS.indexOf(epoch as 1 | 2)] as Client;
  if (name in DRIZZLE) {
    const query = DRIZZLE[name as keyof typeof DRIZZLE] as (...given: unknown[]) => Promise<unknown>;
    return await query(session.db, ...values);
  }
  const query = SQL[name as keyof typeof SQL] as unknown as (...given: unknown[]) => Promise<unknown>;
  return await query(session.sql, ...values);
}

/** Numbers of rows by public id, since both sides count for themselves. */
type Ids = Parameters<ReturnType<typeof chooseStep>>[0];

async function realIds(): Promise<Ids> {
  const [jobs, attempts, targets, gpus] = await Promise.all([
    db.sql<{ key: string; id: number }[]>`select public_id as key, id::float8 as id from job`,
    db.sql<{ key: string; id: number }[]>`select public_id as key, id::float8 as id from attempt`,
    db.sql<{ key: string; id: number }[]>`select public_id as key, id::float8 as id from target`,
    db.sql<{ key: string; id: number }[]>`select uuid as key, id::float8 as id from gpu`,
  ]);
  const all = new Map([...jobs, ...attempts, ...targets, ...gpus].map(({ key, id }) => [key, id]));
  return { of: (key) => all.get(key) ?? -1, queueId };
}

function modelIds(tables: Tables): Ids {
  const rows = [...tables.jobs.values(), ...tables.attempts.values(), ...tables.targets.values()];
  const all = new Map(rows.map(({ publicId, id }) => [publicId, id]));
  for (const { uuid, id } of tables.gpus.values()) all.set(uuid, id);
  return { of: (key) => all.get(key) ?? -1, queueId };
}

function namesOf(tables: Tables): Names {
  return {
    jobs: [...tables.jobs.values()].map(({ publicId, version, state, attemptId }) => ({
      ...{ publicId, version, state },
      attempt: (attemptId === null ? undefined : tables.attempts.get(attemptId)?.publicId) ?? null,
    })),
    attempts: [...tables.attempts.values()].map(({ publicId, fence, jobId }) => ({
      ...{ publicId, fence },
      job: tables.jobs.get(jobId)?.publicId ?? "",
    })),
    targets: ["t_1", "t_2"],
    gpus: ["GPU-1", "GPU-2", "GPU-3"],
  };
}

type Seeded = { targets: number[]; gpus: { id: number; targetId: number; uuid: string }[] };

async function freshReal(): Promise<Seeded> {
  await db.sql`delete from job`;
  await db.sql`delete from target`;
  await db.sql`delete from control_plane`;
  await db.sql`
    insert into control_plane (id, epoch, host, pid, url, home, since) values (1, 1, 'h', 1, 'u', 'h', now())`;
  const targets = await db.sql<{ id: number }[]>`
    insert into target (public_id, team_id, name, kind, state, state_since) select 't_' || n, 'tm', 'n' || n, 'agent',
      'connected', to_timestamp(${T0_MS}::float8 / 1000) from generate_series(1, 2) n returning id::float8 as id`;
  await db.sql`
    insert into node_key (target_id, public_key) select id, 'key' from target`;
  const facts = JSON.stringify(factsOf("GPU-1"));
  const gpus = await db.sql<{ id: number; targetId: number; uuid: string }[]>`
    insert into gpu (target_id, uuid, facts) select t.id, 'GPU-' || n, jsonb_set(${facts}::text::jsonb, '{uuid}', to_jsonb('GPU-' || n))
    from target t join (values (1, 't_1'), (2, 't_1'), (3, 't_2')) as g(n, target) on g.target = t.public_id
    returning id::float8 as id, target_id::float8 as "targetId", uuid`;
  return { targets: targets.map(({ id }) => id), gpus };
}

function factsOf(uuid: string) {
  return {
    uuid,
    index: 0,
    name: "GPU",
    memoryTotalMib: GPU_MIB,
    simulated: true,
    migParentUuid: null,
    schedulable: true,
  };
}

function freshModel({ targets, gpus }: Seeded): Tables {
  const tables = newTables();
  tables.controlPlane = { epoch: 1, host: "h", pid: 1, url: "u", home: "h" };
  tables.users.set("u", "ada");
  tables.queues.set(queueId, {
    id: queueId,
    teamId: "tm",
    name: "default",
    priority: 0,
    paused: false,
    runningMax: null,
    gpusMax: null,
    userRunningMax: null,
    userGpusMax: null,
    selector: { labels: {}, targets: [] },
  });
  for (const [at, id] of targets.entries()) {
    tables.targets.set(id, {
      id,
      publicId: `t_${at + 1}`,
      teamId: "tm",
      name: `n${at + 1}`,
      state: "connected",
      stateSinceMs: T0_MS,
      cordoned: false,
      draining: false,
      labels: {},
      facts: null,
      createdAtMs: 0,
      revokedAtMs: null,
      lastSeenAtMs: null,
      publicKey: "key",
      generation: 0,
      generationOffered: 0,
    });
  }
  for (const { id, targetId, uuid } of gpus)
    tables.gpus.set(id, { id, targetId, uuid, facts: factsOf(uuid), blocked: false, missingSinceMs: null });
  tables.sequences.gpu = 1_000_000;
  return tables;
}

/** What is compared at the end: everything but numbers of rows. */
function tablesOf(tables: Tables) {
  const job = (id: number) => tables.jobs.get(id)?.publicId;
  const attempt = (id: number | null) => (id === null ? null : (tables.attempts.get(id)?.publicId ?? null));
  return {
    jobs: [...tables.jobs.values()].map((row) => ({
      ...pick(
        row,
        "publicId state version submitKey cancelGraceMs retry retriesUsed attemptNumber gpuUuids exitCode signal message logBytes",
      ),
      attempt: attempt(row.attemptId),
      times: [
        row.createdAtMs,
        row.assignedAtMs,
        row.startedAtMs,
        row.endedAtMs,
        row.unreachableSinceMs,
        row.cancelRequestedAtMs,
      ],
    })),
    attempts: [...tables.attempts.values()].map((row) => ({
      ...pick(row, "publicId fence pid endReason exitCode signal message logBytes logGapAt"),
      job: job(row.jobId),
      times: [row.createdAtMs, row.startedAtMs, row.endedAtMs, row.closedAtMs, row.estrangedAtMs],
    })),
    leases: tables.leases.map(({ gpuId, attemptId, memoryMib }) => ({
      gpu: tables.gpus.get(gpuId)?.uuid,
      attempt: attempt(attemptId),
      memoryMib,
    })),
    events: tables.events.map((row) => ({
      ...pick(row, "type state actor message atMs"),
      job: job(row.jobId),
      attempt: attempt(row.attemptId),
    })),
    targets: [...tables.targets.values()].map((row) =>
      pick(row, "publicId state stateSinceMs generation generationOffered"),
    ),
    gpus: [...tables.gpus.values()].map((row) => pick(row, "uuid missingSinceMs")),
  };
}

async function realTables() {
  const { sql } = db;
  const ms = (column: string) => sql.unsafe(`round(extract(epoch from ${column}) * 1000)::float8`);
  return {
    jobs: await sql`
      select j.public_id as "publicId", j.state, j.version, submit_key as "submitKey", cancel_grace_ms as "cancelGraceMs",
        retry, retries_used as "retriesUsed", attempt_number as "attemptNumber", gpu_uuids as "gpuUuids", j.exit_code as "exitCode", j.signal, j.message,
        j.log_bytes::float8 as "logBytes", a.public_id as attempt,
        json_build_array(${ms("j.created_at")}, ${ms("assigned_at")}, ${ms("j.started_at")}, ${ms("j.ended_at")},
          ${ms("unreachable_since")}, ${ms("cancel_requested_at")}) as times
      from job j left join attempt a on a.id = j.attempt_id`,
    attempts: await sql`
      select a.public_id as "publicId", fence, pid, end_reason as "endReason", a.exit_code as "exitCode", a.signal, a.message,
        a.log_bytes::float8 as "logBytes", log_gap_at::float8 as "logGapAt", j.public_id as job,
        json_build_array(${ms("a.created_at")}, ${ms("a.started_at")}, ${ms("a.ended_at")}, ${ms("closed_at")}, ${ms("estranged_at")}) as times
      from attempt a join job j on j.id = a.job_id`,
    leases: await sql`
      select g.uuid as gpu, a.public_id as attempt, memory_mib as "memoryMib"
      from gpu_lease l join gpu g on g.id = l.gpu_id join attempt a on a.id = l.attempt_id`,
    events: await sql`
      select e.type, e.state, e.actor, e.message, ${ms("e.at")} as "atMs", j.public_id as job, a.public_id as attempt
      from job_event e join job j on j.id = e.job_id left join attempt a on a.id = e.attempt_id`,
    targets: await sql`
      select public_id as "publicId", state, ${ms("state_since")} as "stateSinceMs", generation,
        generation_offered as "generationOffered"
      from target t join node_key k on k.target_id = t.id`,
    gpus: await sql`select uuid, ${ms("missing_since")} as "missingSinceMs" from gpu`,
  };
}

function pick(row: object, names: string): Record<string, unknown> {
  return Object.fromEntries(names.split(" ").map((name) => [name, (row as Record<string, unknown>)[name]]));
}

/** Without numbers of rows and digests of commands, in an order that does not depend on the plan of a query. */
function plain(value: unknown): unknown {
  const text = JSON.stringify(value, (key, inner) => {
    if (/^(id|attemptId|targetId|gpuId|queueId|wantedTargetId|commandKey)$/.test(key)) return undefined;
    if (key === "gpuMs") return Math.round(inner);
    if (!Array.isArray(inner) || key === "times" || key === "command") return inner;
    return [...inner].sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
  });
  return text === undefined ? null : JSON.parse(text);
}

function orderOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "";
  const known = Object.entries(value).filter(
    ([key]) => !/^(id|\w+Id|commandKey|gpus)$/.test(key) || key === "publicId",
  );
  return JSON.stringify(known.sort(([a], [b]) => (a < b ? -1 : 1)));
}

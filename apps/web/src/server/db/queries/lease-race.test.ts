import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Client, createDb } from "../client.ts";
import { createTestDatabase, type TestDatabase } from "../testing/test-database.ts";
import { insertJobs, type NewJob, type NewPlace } from "./insert-jobs.ts";
import { type JobPlacement, placeJobs } from "./place-jobs.ts";
import { switchTargetKind } from "./switch-target-kind.ts";

const GPUS = 4;
const MEMORY_MIB = 100;
let db: TestDatabase;
let sessions: Client[];
let targetId: number;
let gpuIds: number[];
let queueId: number;
let made = 0;

beforeAll(async () => {
  db = await createTestDatabase();
  sessions = [createDb(db.address), createDb(db.address)];
  await db.sql`insert into team (id, name) values ('tm', 'Lab')`;
  await db.sql`insert into "user" (id, name, email) values ('u', 'Ada', 'ada@lab.test')`;
  const [queue] = await db.sql<{ id: number }[]>`
    insert into queue (team_id, name) values ('tm', 'default') returning id::float8 as id`;
  const [target] = await db.sql<{ id: number }[]>`
    insert into target (public_id, team_id, name, kind, state) values ('t', 'tm', 'box', 'agent', 'connected')
    returning id::float8 as id`;
  queueId = queue?.id ?? 0;
  targetId = target?.id ?? 0;
  const facts = JSON.stringify({ memoryTotalMib: MEMORY_MIB });
  const gpus = await db.sql<{ id: number }[]>`
    insert into gpu (target_id, uuid, facts)
    select ${targetId}, 'GPU-' || n, ${facts}::text::jsonb from generate_series(1, ${GPUS}) n returning id::float8 as id`;
  gpuIds = gpus.map((gpu) => gpu.id);
});
beforeEach(async () => {
  await db.sql`delete from job`;
});
afterAll(async () => {
  for (const session of sessions) await session.close();
  await db.close();
});

/** What one placement wants: GPUs by number, whole or so much of each. */
const want = fc.record({
  gpus: fc.uniqueArray(fc.nat(GPUS - 1), { minLength: 1, maxLength: 3 }),
  memoryMib: fc.option(fc.integer({ min: 20, max: 90 })),
});
const batch = fc.array(want, { minLength: 1, maxLength: 4 });

test("[J51] two sessions that place at once never lease a GPU twice, and never wait for each other for ever", async () => {
  const round = fc.record({ inserted: fc.tuple(batch, batch), placed: fc.tuple(batch, batch) });
  await fc.assert(
    fc.asyncProperty(round, async ({ inserted, placed }) => {
      await db.sql`delete from job`;
      const placements = await Promise.all(placed.map((wants) => queued(wants)));
      const outcomes = await Promise.allSettled(
        sessions.flatMap(({ sql }, i) => [
          insertJobs(
            sql,
            (inserted[i] ?? []).map((one) => job(placeOf(one))),
            Date.now(),
          ),
          placeJobs(sql, placements[i] ?? [], Date.now()),
        ]),
      );
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") expect(["23P01", "23505"]).toContain(outcome.reason.code);
      }
      expect(await overfull()).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

test("[E57] a target is not switched past a placement on it that commits while the switch waits", async () => {
  const [first, second] = sessions as [Client, Client];
  const isHeld = Promise.withResolvers<void>();
  const mayCommit = Promise.withResolvers<void>();
  const placing = first.sql.begin(async (tx) => {
    await insertJobs(tx, [job(placeOf({ gpus: [0], memoryMib: 60 }))], Date.now());
    isHeld.resolve();
    await mayCommit.promise;
  });
  await isHeld.promise;
  const switching = second.db.transaction((tx) => switchTargetKind(tx, targetId, "ssh"));
  await untilOneWaits();
  mayCommit.resolve();
  await placing;
  expect(await switching).toHaveLength(1);
  const kind = () => db.sql`select kind from target where id = ${targetId}`;
  expect(await kind()).toEqual([{ kind: "agent" }]);
  // Once the end is told and the log is whole there is nothing left that the other side could judge wrongly.
  await db.sql`update attempt set ended_at = now()`;
  expect(await second.db.transaction((tx) => switchTargetKind(tx, targetId, "ssh"))).toHaveLength(1);
  await db.sql`update attempt set closed_at = now()`;
  expect(await second.db.transaction((tx) => switchTargetKind(tx, targetId, "ssh"))).toEqual([]);
  expect(await kind()).toEqual([{ kind: "ssh" }]);
  await second.db.transaction((tx) => switchTargetKind(tx, targetId, "agent"));
});

test("[J51] a lease that another session commits while this one waits for the GPU counts", async () => {
  const [first, second] = sessions as [Client, Client];
  const place = () => placeOf({ gpus: [0], memoryMib: 60 });
  const isHeld = Promise.withResolvers<void>();
  const mayCommit = Promise.withResolvers<void>();
  const holding = first.sql.begin(async (tx) => {
    await insertJobs(tx, [job(place())], Date.now());
    isHeld.resolve();
    await mayCommit.promise;
  });
  await isHeld.promise;
  const [placement] = await queued([{ gpus: [0], memoryMib: 60 }]);
  const waiting = placeJobs(second.sql, placement ? [placement] : [], Date.now()).catch(
    (error: { code: string }) => error.code,
  );
  await untilOneWaits();
  mayCommit.resolve();
  await holding;
  expect(await waiting).toBe("23P01");
  expect(await overfull()).toEqual([]);
});

async function untilOneWaits(): Promise<void> {
  for (;;) {
    const [row] = await db.sql`
      select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
    if (row) return;
  }
}

async function overfull() {
  return await db.sql`
    select gpu_id from gpu_lease group by gpu_id
    having (bool_or(memory_mib is null) and count(*) > 1) or sum(memory_mib) > ${MEMORY_MIB}`;
}

function placeOf(one: { gpus: number[]; memoryMib: number | null }): NewPlace {
  const gpus = one.gpus.map((n) => ({
    gpuId: gpuIds[n] ?? 0,
    uuid: `GPU-${n + 1}`,
    memoryMib: one.memoryMib,
  }));
  return { attempt: `a_${made++}`, targetId, targetName: "box", gpus };
}

async function queued(wants: { gpus: number[]; memoryMib: number | null }[]): Promise<JobPlacement[]> {
  const rows = await insertJobs(
    db.sql,
    wants.map(() => job(null)),
    Date.now(),
  );
  return rows.map((row, i) => ({
    ...placeOf(wants[i] ?? { gpus: [], memoryMib: null }),
    jobId: row.id,
    version: 1,
  }));
}

function job(place: NewPlace | null): NewJob {
  return {
    publicId: `j_${made++}`,
    teamId: "tm",
    queueId,
    userId: "u",
    userName: "Ada",
    submitKey: null,
    name: null,
    command: ["true"],
    env: {},
    cwd: null,
    gpus: place?.gpus.length ?? 1,
    gpuMemoryMib: null,
    gpuModel: null,
    timeoutMs: null,
    graceMs: 1_000,
    retry: null,
    againOf: null,
    wantedTargetId: null,
    labels: {},
    priority: 0,
    place,
  };
}

import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestServices, type TestServices } from "../testing/test-services.ts";

let t: TestServices;

beforeAll(async () => {
  t = await startTestServices();
});
afterAll(() => t.close());

test("[S18] a scheduler whose connection is cut takes the right again, and starts each job once", async () => {
  const node = await t.addTarget("gpu1");
  await node.connect();
  const before = await holder();
  await t.db.sql`select pg_terminate_backend(${before}::int)`;
  while ([null, before].includes(await holder()));
  const id = await t.submit({ command: ["a"] });
  const start = await node.startOf(id);
  await node.exited(start);
  expect(node.starts()).toEqual([start]);
});

test("[B10] while a round is under way whatever else is asked for waits, and is one round afterwards", async () => {
  const gate = Promise.withResolvers<void>();
  const locked = Promise.withResolvers<void>();
  const holding = t.db.sql.begin(async (tx) => {
    await tx`lock table job in exclusive mode`;
    locked.resolve();
    await gate.promise;
  });
  await locked.promise;
  const first = t.submit({ command: ["first"] });
  for (;;) {
    const [waits] = await t.db.sql`select 1 from pg_locks where relation = 'job'::regclass and not granted`;
    if (waits) break;
  }
  const others = Array.from({ length: 200 }, (_, index) => t.submit({ command: [`other ${index}`] }));
  gate.resolve();
  await holding;
  const ids = await Promise.all([first, ...others]);
  const rounds = await t.db.sql<{ jobs: number }[]>`
    select count(*)::int as jobs from job where public_id = any(${ids}) group by created_at order by jobs`;
  expect(rounds.map(({ jobs }) => jobs)).toEqual([1, 200]);
});

async function holder(): Promise<number | null> {
  const [row] = await t.db.sql<{ pid: number }[]>`
    select pid from pg_locks
    where locktype = 'advisory' and mode = 'ExclusiveLock' and database = (select oid from pg_database where datname = current_database())`;
  return row?.pid ?? null;
}

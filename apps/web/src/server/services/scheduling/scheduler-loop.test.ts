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

async function holder(): Promise<number | null> {
  const [row] = await t.db.sql<{ pid: number }[]>`
    select pid from pg_locks
    where locktype = 'advisory' and mode = 'ExclusiveLock' and database = (select oid from pg_database where datname = current_database())`;
  return row?.pid ?? null;
}

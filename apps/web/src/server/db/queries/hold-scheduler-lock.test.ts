import { afterAll, beforeAll, expect, test } from "vitest";
import { createDb } from "../client.ts";
import { createTestDatabase, type TestDatabase } from "../testing/test-database.ts";
import { holdSchedulerLock } from "./hold-scheduler-lock.ts";

let db: TestDatabase;

beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.close());

test("[S18] one process has the right to plan until it gives it back", async () => {
  const other = createDb(db.address);
  const lock = await holdSchedulerLock(db.sql, unexpected);
  expect(await lock?.isHeld()).toBe(true);
  expect(await holdSchedulerLock(other.sql, unexpected)).toBeNull();
  await lock?.release();
  const next = await holdSchedulerLock(other.sql, unexpected);
  expect(await next?.isHeld()).toBe(true);
  await next?.release();
  await other.close();
});

test("[S18] a broken connection ends the right, says so, and harms nothing else", async () => {
  const lost = Promise.withResolvers<void>();
  const lock = await holdSchedulerLock(db.sql, lost.resolve);
  await db.sql`
    select pg_terminate_backend(pid) from pg_locks
    where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`;
  await lost.promise;
  expect(await lock?.isHeld()).toBe(false);
  const next = await holdSchedulerLock(db.sql, unexpected);
  expect(await next?.isHeld()).toBe(true);
  await lock?.release();
  expect(await next?.isHeld()).toBe(true);
  await next?.release();
});

function unexpected(): never {
  throw new Error("the lock was lost");
}

import { afterAll, beforeAll, expect, test } from "vitest";
import { createDb } from "../client.ts";
import { createTestDatabase, type TestDatabase } from "../testing/test-database.ts";
import { holdActiveLock } from "./hold-active-lock.ts";

let db: TestDatabase;

beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.close());

test("[O40] one control plane is active until it gives that back", async () => {
  const other = createDb(db.address);
  const lock = await holdActiveLock(db.sql, unexpected);
  expect(await lock?.isHeld()).toBe(true);
  expect(await holdActiveLock(other.sql, unexpected)).toBeNull();
  await lock?.release();
  const next = await holdActiveLock(other.sql, unexpected);
  expect(await next?.isHeld()).toBe(true);
  await next?.release();
  await other.close();
});

test("[O40] a broken connection ends the right, says so, and harms nothing else", async () => {
  const lost = Promise.withResolvers<void>();
  const lock = await holdActiveLock(db.sql, lost.resolve);
  await db.sql`
    select pg_terminate_backend(pid) from pg_locks
    where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`;
  await lost.promise;
  expect(await lock?.isHeld()).toBe(false);
  const next = await holdActiveLock(db.sql, unexpected);
  expect(await next?.isHeld()).toBe(true);
  await lock?.release();
  expect(await next?.isHeld()).toBe(true);
  await next?.release();
});

function unexpected(): never {
  throw new Error("the lock was lost");
}

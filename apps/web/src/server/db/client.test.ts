import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { createDb } from "./client.ts";
import { createTestDatabase, type TestDatabase } from "./testing/test-database.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

test("[O21] no statement, wait for a lock or idle transaction holds a connection for ever", async () => {
  const settings = await database.sql`select name, setting::int as ms from pg_settings
    where name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout') order by name`;
  expect([...settings]).toEqual([
    { name: "idle_in_transaction_session_timeout", ms: 30_000 },
    { name: "lock_timeout", ms: 10_000 },
    { name: "statement_timeout", ms: 30_000 },
  ]);
});

test("[O21] closing lets a running statement end and refuses the next", async () => {
  const { sql, close } = createDb(database.address);
  await sql`select 1`;
  const running = sql`select pg_sleep(0.1), 1 as n`.execute();
  await Promise.all([running, close()]);
  expect((await running)[0]?.n).toBe(1);
  await expect(sql`select 1`).rejects.toThrow("CONNECTION_ENDED");
});

test("[O22] each test file gets a migrated database of its own", async () => {
  const other = await createTestDatabase();
  await other.sql`create table only_here (n int)`;
  expect([...(await database.sql`select to_regclass('only_here') as found`)]).toEqual([{ found: null }]);
  expect((await database.sql`select count(*)::int as n from nexus_migration`)[0]?.n).toBeGreaterThan(0);
  await other.close();
});

test("[W16] when the database is gone, whoever waits for it is refused at once, and closing takes no time", async () => {
  const { sql, close, giveUp } = createDb(database.address);
  await sql`select 1`;
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const asked = sql`select pg_sleep(30)`.execute();
  const outcome = asked.then(
    () => "answered",
    ({ code }) => code,
  );
  giveUp();
  const closing = close();
  await vi.advanceTimersByTimeAsync(1);
  expect(await outcome).toBe("CONNECTION_DESTROYED");
  await closing;
});

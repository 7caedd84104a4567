// tidy-allow sleep: what Postgres knows of other sessions can only be asked
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Client, createDb } from "../../db/client.ts";
import { touchHeartbeats } from "../../db/queries/touch-heartbeats.ts";
import { createTestDatabase, type TestDatabase } from "../../db/testing/test-database.ts";
import type { ServiceLog } from "../service-context.ts";
import { type Term, takeTerm } from "./take-term.ts";

let db: TestDatabase;
const terms: Term[] = [];
const clients: Client[] = [];

beforeEach(async () => {
  db = await createTestDatabase();
  await db.sql`insert into team (id, name) values ('tm', 'Lab')`;
});
afterEach(async () => {
  for (const term of terms.splice(0)) await term.close();
  for (const client of clients.splice(0)) await client.close();
  await db.close();
});

test("[O40] of many that ask at once one becomes active, and the next when that one closes, in a new epoch", async () => {
  const asked = await Promise.all(Array.from({ length: 6 }, () => take()));
  const [first, ...others] = asked.filter((term) => term !== null);
  expect(others).toEqual([]);
  expect(await take()).toBeNull();
  await first?.close();
  const second = await take();
  expect([first?.epoch, second?.epoch]).toEqual([1, 2]);
});

test("[O42] after a takeover every statement of the earlier one is refused, on whatever table", async () => {
  const [before, old] = await active();
  await old.sql`insert into queue (team_id, name) values ('tm', 'a')`;
  await before.close();
  await active();
  const statements = [
    old.sql`insert into queue (team_id, name) values ('tm', 'b')`,
    old.sql`update job set version = version + 1`,
    old.sql`update attempt set ended_at = now()`,
    old.sql`delete from gpu_lease`,
    old.sql`update target set state = 'offline'`,
    old.sql`update gpu set blocked = true`,
    old.sql`delete from gpu_sample`,
    old.sql`update node_key set generation = 7`,
    old.sql`delete from ssh_host_key`,
    old.sql`delete from target_ssh`,
    old.sql`update member set role = 'owner'`,
    old.sql`delete from apikey`,
    old.sql`delete from audit_event`,
  ];
  for (const statement of statements) await expect(statement).rejects.toMatchObject({ code: "NX001" });
  await expect(touchHeartbeats(old.db, [1])).rejects.toThrow();
  // A person's own session has no epoch.
  await db.sql`insert into queue (team_id, name) values ('tm', 'c')`;
  expect(await db.sql`select name from queue order by name`).toEqual([{ name: "a" }, { name: "c" }]);
});

test("[O42] what the earlier one had under way when another became active is undone", async () => {
  const [before, old] = await active();
  const outcome = old.sql`
    with late as (insert into queue (team_id, name) values ('tm', 'late') returning 1) select pg_sleep(30) from late`.then(
    () => "committed",
    () => "undone",
  );
  await repeat(async () => {
    const [row] = await db.sql`
      select 1 from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()`;
    return row ?? null;
  });
  await before.close();
  const [, now] = await active();
  expect(await outcome).toBe("undone");
  await now.sql`insert into queue (team_id, name) values ('tm', 'next')`;
  expect(await db.sql`select name from queue`).toEqual([{ name: "next" }]);
});

test("[O42] every table has the fence but the two that come before any epoch", async () => {
  const rows = await db.sql<{ name: string }[]>`
    select tablename as name from pg_tables where schemaname = 'public' and not exists (
      select 1 from pg_trigger where tgname = 'nexus_fence' and tgrelid = ('public.' || quote_ident(tablename))::regclass)`;
  expect(rows.map(({ name }) => name).sort()).toEqual(["control_plane", "nexus_migration"]);
});

test("[O43] a connection that breaks makes planning unsure at once, and sure again in the same epoch", async () => {
  const [term, client] = await active();
  const regained = Promise.withResolvers<void>();
  term.right.onRegained(regained.resolve);
  await cutLock();
  await regained.promise;
  expect(term.right.isHeld()).toBe(true);
  await client.sql`insert into queue (team_id, name) values ('tm', 'still')`;
});

test("[O43] a database that stalls for longer than an answer may take does not end the term", async () => {
  const said: string[] = [];
  const [term] = await active((_, message) => said.push(message));
  const [row] = await db.sql<{ pid: number }[]>`
    select pid from pg_locks where locktype = 'advisory' and mode = 'ExclusiveLock'
      and database = (select oid from pg_database where datname = current_database())`;
  const regained = Promise.withResolvers<string>();
  term.right.onRegained(() => regained.resolve("regained"));
  const pid = row?.pid ?? 0;
  process.kill(pid, "SIGSTOP");
  try {
    await repeat(async () => said.find((message) => message.includes("earlier connection")) ?? null);
    expect(term.right.isHeld()).toBe(false);
  } finally {
    process.kill(pid, "SIGCONT");
  }
  expect(await Promise.race([term.ended, regained.promise])).toBe("regained");
  expect(term.right.isHeld()).toBe(true);
});

test("[O43] one that finds another active in its place ends for good", async () => {
  const [term] = await active();
  // The other one is quicker than the retake, as over a network that was cut here only.
  const other = repeat(() => take());
  await cutLock();
  const next = await other;
  const why = await Promise.race([term.ended, next.ended]);
  expect(why).toContain("became active");
  const [older, newer] = [term, next].sort((a, b) => a.epoch - b.epoch);
  if (newer?.epoch !== older?.epoch)
    expect([older?.right.isHeld(), newer?.right.isHeld()]).toEqual([false, true]);
});

async function repeat<T>(look: () => Promise<T | null>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    await delay(1);
  }
}

async function take(log: ServiceLog = () => undefined): Promise<Term | null> {
  const self = { host: "h", pid: 1, url: "http://h", home: "/h" };
  const term = await takeTerm({ sql: db.sql, self, log });
  if (term) terms.push(term);
  return term;
}

async function active(log?: ServiceLog): Promise<[Term, Client]> {
  const term = await take(log);
  if (!term) throw new Error("another one is active");
  const client = createDb(db.address, term.epoch);
  clients.push(client);
  return [term, client];
}

async function cutLock(): Promise<void> {
  await db.sql`
    select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and mode = 'ExclusiveLock'
      and database = (select oid from pg_database where datname = current_database())`;
}

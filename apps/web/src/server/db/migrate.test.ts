import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkMigrated, migrate } from "./migrate.ts";
import { createTestDatabase, type TestDatabase } from "./testing/test-database.ts";
import { findServerPrograms, startTcpPostgres } from "./testing/test-tcp-postgres.ts";

const RELEASED = join(import.meta.dirname, "../../../drizzle");
let dir: string;
let database: TestDatabase;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "nexus-migrate-"));
  database = await createTestDatabase();
});
afterAll(async () => {
  await database.close();
  rmSync(dir, { recursive: true });
});

test("[O16] a migrated database needs nothing more, and passes the check at boot", async () => {
  const { address } = database;
  expect(await migrate({ address, folder: RELEASED })).toEqual([]);
  await checkMigrated({ address, folder: RELEASED });
});

test("[O16] a boot on a database that lacks a migration is refused with what is missing", async () => {
  await withEmptySchema(async (address) => {
    const folder = release({ "0000_one": "create table one (n int)" });
    await expect(checkMigrated({ address, folder })).rejects.toMatchObject({
      code: "needs_update",
      message: expect.stringContaining("lacks 1 of 1 migrations (0000_one)"),
    });
  });
});

test("[O17] of many processes that migrate at once each file is applied once, in order", async () => {
  await withEmptySchema(async (address, sql) => {
    const folder = release({
      "0000_one": "create table one (n int)",
      "0001_two": "alter table one add column m int;\n--> statement-breakpoint\ncreate table two (n int)",
      "0002_three": "insert into two values (1)",
    });
    const results = await Promise.all([1, 2, 3, 4].map(() => migrate({ address, folder })));
    expect(results.flat().sort()).toEqual(["0000_one", "0001_two", "0002_three"]);
    expect(await sql`select n from two`).toEqual([{ n: 1 }]);
  });
});

test("[O17] a file that fails is undone as a whole, and the one before it stays", async () => {
  await withEmptySchema(async (address, sql) => {
    const one = { "0000_one": "create table one (n int)" };
    const broken = "create table two (n int);\n--> statement-breakpoint\ncreate table one (n int)";
    const folder = release({ ...one, "0001_two": broken });
    await expect(migrate({ address, folder })).rejects.toThrow(
      'migration 0001_two failed and was undone: relation "one" already exists',
    );
    expect(await sql`select to_regclass('two') as two, to_regclass('one') as one`).toEqual([
      { two: null, one: "one" },
    ]);
    const mended = release({ ...one, "0001_two": "create table two (n int)" });
    expect(await migrate({ address, folder: mended })).toEqual(["0001_two"]);
  });
});

test("[O18] a database of a newer release is refused and not touched", async () => {
  await withEmptySchema(async (address) => {
    const one = { "0000_one": "create table one (n int)" };
    await migrate({ address, folder: release({ ...one, "0001_two": "create table two (n int)" }) });
    const older = release(one);
    for (const act of [migrate, checkMigrated])
      await expect(act({ address, folder: older })).rejects.toMatchObject({
        code: "needs_update",
        message: expect.stringContaining("migrated by a newer Nexus (0001_two)"),
      });
  });
});

test("[O18] a database with another history is refused and not touched", async () => {
  await withEmptySchema(async (address) => {
    const two = { "0001_two": "create table two (n int)" };
    await migrate({ address, folder: release({ "0000_one": "create table one (n int)" }) });
    const edited = release({ "0000_one": "create table one (n bigint)", ...two });
    await expect(migrate({ address, folder: edited })).rejects.toMatchObject({ code: "conflict" });
    const renamed = release({ "0000_other": "create table one (n int)", ...two });
    await expect(migrate({ address, folder: renamed })).rejects.toThrow("has migration 0 as 0000_one");
  });
});

test.each(await findServerPrograms())(
  "[O19] the released migrations apply to $name over a URL",
  async ({ binDir }) => {
    const server = await startTcpPostgres(binDir);
    try {
      const address = { url: server.url };
      expect((await migrate({ address, folder: RELEASED })).length).toBeGreaterThan(0);
      await checkMigrated({ address, folder: RELEASED });
    } finally {
      await server.stop();
    }
  },
);

test("[O20] the migrations make exactly the tables that the code names", async () => {
  const folder = join(dir, "generated");
  cpSync(RELEASED, folder, { recursive: true });
  const web = join(import.meta.dirname, "../../..");
  const kit = join(dirname(fileURLToPath(import.meta.resolve("drizzle-kit"))), "bin.cjs");
  const schema = ["--schema", "./src/server/db/schema/*.ts", "--dialect", "postgresql"];
  const args = [kit, "generate", ...schema, "--out", relative(web, folder)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: web });
  expect(stdout).toContain("No schema changes");
});

/** A release folder as drizzle-kit writes it. */
function release(files: Record<string, string>): string {
  const folder = join(dir, createHash("sha256").update(JSON.stringify(files)).digest("hex"));
  mkdirSync(join(folder, "meta"), { recursive: true });
  const entries = Object.entries(files).map(([tag, sql], idx) => {
    writeFileSync(join(folder, `${tag}.sql`), sql);
    return { idx, tag, version: "7", when: idx, breakpoints: true };
  });
  writeFileSync(join(folder, "meta", "_journal.json"), JSON.stringify({ entries }));
  return folder;
}

/** A database of its own, emptied of what the template has. */
async function withEmptySchema(
  use: (address: TestDatabase["address"], sql: TestDatabase["sql"]) => Promise<void>,
): Promise<void> {
  const empty = await createTestDatabase();
  try {
    await empty.sql.unsafe("drop schema public cascade; create schema public");
    await use(empty.address, empty.sql);
  } finally {
    await empty.close();
  }
}

/**
 * Owns: the table `nexus_migration` and, while it runs, the right to change the schema.
 * Invariant: the database has exactly the first N migrations of this release, each wholly or not at all. Every file is one
 * transaction, and the lock belongs to that transaction: a lost connection loses both together.
 * Refuses: Postgres older than 14, a database of a newer release, another history.
 */
import { NexusError } from "@nexus/shared/errors";
import type postgres from "postgres";
import type { DatabaseAddress } from "./client.ts";
import { type AppliedMigration, type Migration, planMigrations } from "./plan-migrations.ts";
import { readMigrations } from "./read-migrations.ts";
import { withConnection } from "./with-connection.ts";

export type MigrateOptions = {
  address: DatabaseAddress;
  /** The `drizzle` folder of this release. */
  folder: string;
  log?: (text: string) => void;
};

/** "NXMG". One number for all releases: it is what keeps them apart. */
const LOCK_KEY = 0x4e584d47;
const SERVER_VERSION_MIN = 140_000;
/** Another process migrates; it may rewrite a large table. */
const TURN_WAIT_MS = 600_000;
/** A control plane of the old release still uses the tables that we want to change. */
const TABLE_WAIT_MS = 60_000;

/** Applies what is missing, and answers which. Any number of processes may call it at once. */
export async function migrate(options: MigrateOptions): Promise<string[]> {
  const { log = () => undefined } = options;
  const known = readMigrations(options.folder);
  return withConnection(options.address, async (sql) => {
    await refuseOldServer(sql);
    const applied: string[] = [];
    for (;;) {
      const tag = await applyNext(sql, known, log);
      if (tag === null) return applied;
      applied.push(tag);
    }
  });
}

/** For the boot of a control plane that does not migrate itself: passes only when nothing is missing. */
export async function checkMigrated(options: MigrateOptions): Promise<void> {
  const known = readMigrations(options.folder);
  const missing = await withConnection(options.address, async (sql) => {
    await refuseOldServer(sql);
    return planMigrations(known, await readApplied(sql));
  });
  if (missing.length === 0) return;
  throw new NexusError("needs_update", {
    detail: `The database lacks ${missing.length} of ${known.length} migrations (${missing.map(({ tag }) => tag).join(", ")}). Run the \`migrate\` command of this release first.`,
  });
}

async function applyNext(
  sql: postgres.Sql,
  known: readonly Migration[],
  log: (text: string) => void,
): Promise<string | null> {
  return sql.begin(async (tx) => {
    await waitForTurn(tx, log);
    await tx`create table if not exists nexus_migration (
      "index" integer primary key,
      tag text not null,
      sha256 text not null,
      applied_at timestamptz not null default now()
    )`;
    const [next] = planMigrations(known, await readApplied(tx));
    if (!next) return null;
    log(`migrating the database: ${next.tag}`);
    for (const statement of next.statements) await applyStatement(tx, next, statement);
    await tx`insert into nexus_migration ("index", tag, sha256) values (${next.index}, ${next.tag}, ${next.sha256})`;
    return next.tag;
  });
}

async function waitForTurn(tx: postgres.TransactionSql, log: (text: string) => void): Promise<void> {
  await tx`select set_config('client_min_messages', 'warning', true),
                  set_config('lock_timeout', ${String(TURN_WAIT_MS)}, true)`;
  const [row] = await tx`select pg_try_advisory_xact_lock(${LOCK_KEY}) as is_ours`;
  if (!row?.is_ours) {
    log("waiting for another process that migrates the database");
    await tx`select pg_advisory_xact_lock(${LOCK_KEY})`;
  }
  await tx`select set_config('lock_timeout', ${String(TABLE_WAIT_MS)}, true)`;
}

async function applyStatement(tx: postgres.TransactionSql, migration: Migration, statement: string) {
  try {
    await tx.unsafe(statement);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`migration ${migration.tag} failed and was undone: ${why}`, { cause });
  }
}

async function readApplied(sql: postgres.ISql): Promise<AppliedMigration[]> {
  const [table] = await sql`select to_regclass('nexus_migration') is not null as is_there`;
  if (!table?.is_there) return [];
  return sql<AppliedMigration[]>`select "index", tag, sha256 from nexus_migration order by "index"`;
}

async function refuseOldServer(sql: postgres.Sql): Promise<void> {
  const [row] =
    await sql`select current_setting('server_version_num')::int as number, current_setting('server_version') as name`;
  if (row && row.number >= SERVER_VERSION_MIN) return;
  throw new NexusError("unavailable", {
    detail: `The database is Postgres ${row?.name}; Nexus needs 14 or newer.`,
  });
}

import type { Client } from "../client.ts";

/** What a person wants to know of the database at a glance. Its size is asked of every file that it has. */
export async function readDatabaseFacts(sql: Client["sql"]): Promise<{ version: string; sizeBytes: number }> {
  const [row] = await sql<{ version: string; size: string }[]>`
    select current_setting('server_version') as version, pg_database_size(current_database())::text as size`;
  return { version: row?.version ?? "?", sizeBytes: Number(row?.size ?? 0) };
}

import type { PgDatabase } from "drizzle-orm/pg-core";
import type { PostgresJsQueryResultHKT } from "drizzle-orm/postgres-js";

/** What a query runs on: the pool or a transaction, it does not care which. */
export type Database = PgDatabase<PostgresJsQueryResultHKT, Record<string, never>>;

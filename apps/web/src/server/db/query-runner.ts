import type { ISql } from "postgres";

/** What a statement in plain SQL runs on: the pool or a transaction, it does not care which. Statements are prepared. */
export type QueryRunner = ISql;

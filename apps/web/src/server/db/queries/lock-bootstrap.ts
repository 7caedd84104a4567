import { sql } from "drizzle-orm";
import type { Database } from "../database.ts";

const BOOTSTRAP_LOCK = 0x6e78_0001;

/** Two processes that start on one empty database make one owner. Held until the transaction ends. */
export async function lockBootstrap(tx: Database): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(${BOOTSTRAP_LOCK})`);
}

import { assert } from "@nexus/shared/assert";
import { type Client, createDb } from "../../../db/client.ts";
import type { TestDatabase } from "../../../db/testing/test-database.ts";
import { type Term, takeTerm } from "../take-term.ts";

export type TestTerm = Term & { client: Client };

/** This process as the active control plane of a test's database, and what it writes with. */
export async function takeTestTerm(db: TestDatabase): Promise<TestTerm> {
  const self = { host: "test", pid: process.pid, url: "http://nexus.test", home: "home" };
  const term = await takeTerm({ sql: db.sql, self, log: () => undefined });
  assert(term !== null, "nobody else is active on a test's database");
  const client = createDb(db.address, term.epoch);
  return {
    ...term,
    client,
    async close() {
      await client.close();
      await term.close();
    },
  };
}

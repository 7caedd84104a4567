import { eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { team } from "../schema/team.ts";

/** Makes changes of one team's members go one after the other, until the transaction ends. */
export async function lockTeam(tx: Database, teamId: string): Promise<void> {
  await tx.select({ id: team.id }).from(team).where(eq(team.id, teamId)).for("update");
}

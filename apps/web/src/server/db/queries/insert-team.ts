import type { Database } from "../database.ts";
import { team } from "../schema/team.ts";

export async function insertTeam(db: Database, row: { id: string; name: string }): Promise<void> {
  await db.insert(team).values(row);
}

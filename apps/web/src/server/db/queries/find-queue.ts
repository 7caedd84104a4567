import { and, eq, isNull } from "drizzle-orm";
import type { Database } from "../database.ts";
import { queue } from "../schema/job.ts";

export async function findQueue(
  db: Database,
  teamId: string,
  name: string,
): Promise<typeof queue.$inferSelect | undefined> {
  const [row] = await db
    .select()
    .from(queue)
    .where(and(eq(queue.teamId, teamId), eq(queue.name, name), isNull(queue.removedAt)));
  return row;
}

import { DEFAULT_QUEUE } from "@nexus/shared/api/schemas";
import type { Database } from "../database.ts";
import { queue } from "../schema/job.ts";

/** The queue that a job joins when its submitter names none. */
export async function insertDefaultQueue(db: Database, teamId: string): Promise<void> {
  await db.insert(queue).values({ teamId, name: DEFAULT_QUEUE }).onConflictDoNothing();
}

import { type LiveChecksum, liveChecksum } from "../../db/queries/live-checksum.ts";
import type { ServiceContext } from "../service-context.ts";
import type { WriteLane } from "../write-lane.ts";
import type { World } from "./world.ts";

/**
 * The slow poll behind the events: compares the live jobs with the database by count and sum of versions, and reads all
 * again when another process wrote meanwhile.
 */
export async function verifyWorld(ctx: ServiceContext, world: World, lane: WriteLane): Promise<void> {
  await lane.run(async () => {
    const rows = await liveChecksum(ctx.sql);
    if (isEqual(rows, memoryChecksum(world))) return;
    ctx.log("warn", "live jobs differ from the database, reading them again", { rows });
    world.isStale = true;
  });
}

function memoryChecksum({ live }: World): LiveChecksum {
  let versions = 0;
  for (const job of live.jobs.values()) versions += job.version;
  return { jobs: live.jobs.size, versions };
}

function isEqual(a: LiveChecksum, b: LiveChecksum): boolean {
  return a.jobs === b.jobs && a.versions === b.versions;
}

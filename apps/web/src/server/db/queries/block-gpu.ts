import { eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { gpu } from "../schema/target.ts";

export async function blockGpu(db: Database, gpuId: number, blocked: boolean): Promise<void> {
  await db.update(gpu).set({ blocked }).where(eq(gpu.id, gpuId));
}

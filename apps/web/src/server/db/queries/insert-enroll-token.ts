import { sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { enrollToken } from "../schema/target.ts";

export type NewEnrollToken = {
  publicId: string;
  teamId: string;
  publicKey: string;
  name: string | null;
  labels: Record<string, string>;
  usesMax: number;
  targetId: number | null;
  createdBy: string;
  ttlMs: number;
};

export async function insertEnrollToken(db: Database, given: NewEnrollToken): Promise<void> {
  const { ttlMs, ...values } = given;
  await db
    .insert(enrollToken)
    .values({ ...values, expiresAt: sql`now() + ${ttlMs} * interval '1 millisecond'` });
}

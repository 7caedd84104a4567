import type { Client } from "../client.ts";

/** Whether the database answers at all. */
export async function isAnswering(sql: Client["sql"]): Promise<boolean> {
  try {
    await sql`select 1`;
    return true;
  } catch {
    return false;
  }
}

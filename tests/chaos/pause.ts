// tidy-allow sleep: a fault lasts for a time, and strikes after one; what it waits for is asked for again and again
import { setTimeout as delay } from "node:timers/promises";

export async function pause(ms: number): Promise<void> {
  await delay(ms);
}

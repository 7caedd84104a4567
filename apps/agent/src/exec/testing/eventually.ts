import { setTimeout as pause } from "node:timers/promises";

/** Asks until the answer is there. For facts that no event tells: files of other processes, the process table. */
export async function eventually<T>(what: string, ask: () => T | null | undefined | false): Promise<T> {
  const deadlineMs = performance.now() + 30_000;
  for (;;) {
    const answer = ask();
    if (answer !== null && answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadlineMs) throw new Error(`never seen: ${what}`);
    await pause(10);
  }
}

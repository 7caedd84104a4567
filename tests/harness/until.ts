// tidy-allow sleep: some facts can only be asked for, again and again
import { setTimeout as delay } from "node:timers/promises";

/** Asks again until `read` gives a value. For facts that can only be asked for; a fact that announces itself is awaited. */
export async function until<T>(
  what: string,
  read: () => Promise<T | null | undefined | false>,
  limitMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  let last: unknown = null;
  for (;;) {
    try {
      const value = await read();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${limitMs} ms in vain until ${what}`, { cause: last });
    }
    await delay(25);
  }
}

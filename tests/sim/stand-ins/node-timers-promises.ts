/** In place of `node:timers/promises`. */
import { kernel, type Program } from "../world/kernel.ts";

export function setTimeout(delayMs = 1): Promise<void> {
  const { current, after } = kernel();
  return new Promise((resolve) => {
    after(Math.max(1, delayMs) / (current as Program).machine.rate, current, resolve);
  });
}

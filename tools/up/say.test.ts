import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createTeller } from "./say.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

test("[O33] a step that failed is not called done", async () => {
  let text = "";
  const out = { isTTY: false, write: (more: string) => (text += more) } as unknown as NodeJS.WriteStream;
  const teller = createTeller(out);
  const work = Promise.withResolvers<void>();
  const step = teller.step("starting the control plane", work.promise);
  vi.advanceTimersByTime(2_000);
  work.reject(new Error("no"));
  await expect(step).rejects.toThrow("no");
  expect(text).toBe("starting the control plane …\n✗ starting the control plane (2.0 s)\n");
});

import { describe, expect, it } from "vitest";
import { createDataPump } from "./data-pump.ts";

describe("the data pump", () => {
  it.each([0, 1, 2, 3, 4, 5])(
    "[P50] a frame that comes %i microtasks after the pump was woken is sent",
    async (ticks) => {
      const waiting = [Uint8Array.of(1)];
      const sent: Uint8Array[] = [];
      const pump = createDataPump({
        isOpen: () => true,
        bufferedBytes: () => 0,
        bufferedBytesMax: 1,
        pull: () => waiting.shift() ?? null,
        async write(frame) {
          sent.push(frame);
        },
        onError(error) {
          throw error;
        },
      });
      pump.wake();
      for (let tick = 0; tick < ticks; tick += 1) await null;
      waiting.push(Uint8Array.of(2));
      pump.wake();
      // Every microtask has run before the next turn of the loop.
      await new Promise((resolve) => setImmediate(resolve));
      expect(sent).toEqual([Uint8Array.of(1), Uint8Array.of(2)]);
    },
  );
});

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TUNNEL_CHUNK_BYTES_MAX, TUNNEL_WINDOW_BYTES } from "./limits.ts";
import {
  cameBytes,
  gotCredit,
  NEW_TUNNEL_FLOW,
  nextPiece,
  sentPiece,
  tookBytes,
  tunnelCost,
} from "./tunnel-flow.ts";

describe("the flow of a tunnel", () => {
  it("[P51] whatever the order of writing, arriving and reading, no more than a window is held and all bytes arrive", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 40 });
    void fc.assert(
      fc.property(
        sizes,
        fc.infiniteStream(fc.constantFrom("send", "arrive", "read", "credit")),
        (writes, turns) => {
          let sender = NEW_TUNNEL_FLOW;
          let receiver = NEW_TUNNEL_FLOW;
          const wire: number[] = [];
          const unread: number[] = [];
          const credits: number[] = [];
          const waiting = [...writes];
          let read = 0;
          const total = writes.reduce((sum, size) => sum + size, 0);
          const acts = {
            send() {
              const piece = nextPiece(sender, waiting[0] ?? 0);
              if (piece === 0) return false;
              expect(piece).toBeLessThanOrEqual(TUNNEL_CHUNK_BYTES_MAX);
              sender = sentPiece(sender, piece);
              waiting[0] = (waiting[0] ?? 0) - piece;
              if (waiting[0] === 0) waiting.shift();
              wire.push(piece);
              return true;
            },
            arrive() {
              const bytes = wire.shift();
              if (bytes === undefined) return false;
              const next = cameBytes(receiver, bytes);
              expect(next).not.toBeNull();
              receiver = next ?? receiver;
              unread.push(bytes);
              return true;
            },
            read() {
              const bytes = unread.shift();
              if (bytes === undefined) return false;
              const { flow, credit } = tookBytes(receiver, bytes);
              receiver = flow;
              read += bytes;
              if (credit > 0) credits.push(credit);
              return true;
            },
            credit() {
              const bytes = credits.shift();
              if (bytes === undefined) return false;
              const next = gotCredit(sender, bytes);
              expect(next).not.toBeNull();
              sender = next ?? sender;
              return true;
            },
          };
          const all = Object.values(acts);
          while (read < total) {
            const chosen = turns.next().value;
            // When the chosen one has nothing to do another has, or it would stand still for ever.
            if (!acts[chosen as keyof typeof acts]()) expect(all.some((act) => act())).toBe(true);
            const held = [...wire, ...unread].reduce((sum, bytes) => sum + tunnelCost(bytes), 0);
            expect(held).toBeLessThanOrEqual(TUNNEL_WINDOW_BYTES);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("[P51] more than the window, and credit for what was never sent, is told apart", () => {
    let flow = NEW_TUNNEL_FLOW;
    for (;;) {
      const next = cameBytes(flow, TUNNEL_CHUNK_BYTES_MAX);
      if (next === null) break;
      flow = next;
    }
    expect(flow.mayCome).toBeLessThan(tunnelCost(TUNNEL_CHUNK_BYTES_MAX));
    expect(gotCredit(NEW_TUNNEL_FLOW, 1)).toBeNull();
    expect(gotCredit(sentPiece(NEW_TUNNEL_FLOW, 10), tunnelCost(10))).toEqual(NEW_TUNNEL_FLOW);
  });
});

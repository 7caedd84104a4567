/**
 * A fleet that no test machine can run, in front of a real page: the control plane's messages pass, but those of the fleet, in whose
 * place come messages of the same form with `machines` copies of a real target. Labelled so, and used for how the page bears it.
 */
import type { OutputOf } from "@nexus/shared/api/contract";
import type { Target } from "@nexus/shared/api/schemas";
import type { Page } from "playwright/test";

export type LargeFleet = {
  /** Sends new samples of every `of`-th machine, as one message. */
  sample(round: number, of: number): void;
};

export async function showLargeFleet(
  page: Page,
  like: Target,
  { machines, gpus }: { machines: number; gpus: number },
): Promise<LargeFleet> {
  const [gpu] = like.gpus;
  if (!gpu) throw new Error("the target to copy needs a GPU");
  let send: ((message: OutputOf<"fleet.watch">) => void) | null = null;

  const targetAt = (at: number, round: number): Target => ({
    ...like,
    id: `t_${at}`,
    name: `rack-${Math.floor(at / 10)}-node-${at % 10}${at === 7 ? `-${"with-a-very-long-name-".repeat(4)}end` : ""}`,
    gpus: Array.from({ length: gpus }, (_, index) => ({
      ...gpu,
      uuid: `GPU-${at}-${index}`,
      index,
      sampledAtMs: round,
      sample: gpu.sample && {
        ...gpu.sample,
        utilizationPct: (at * 7 + index * 13 + round * 3) % 100,
        memoryUsedMib: (at * 1000 + round * 200) % 80_000,
      },
    })),
  });
  const messageOf = (snapshot: boolean, targets: Target[]): OutputOf<"fleet.watch"> => ({
    ...{ snapshot, targets, removed: [], queued: 3, running: 5, nowMs: Date.now() },
  });

  await page.routeWebSocket(/\/ws\/ui/, (socket) => {
    const server = socket.connectToServer();
    let watchId: unknown = null;
    socket.onMessage((text) => {
      for (const message of messagesOf(text)) {
        if (message.params?.path === "fleet.watch") watchId = message.id;
      }
      server.send(text);
    });
    server.onMessage((text) => {
      const [message] = messagesOf(text);
      if (!message || watchId === null || message.id !== watchId || message.result?.type !== "data") {
        socket.send(text);
        return;
      }
      if (send) return;
      send = (data) =>
        socket.send(
          JSON.stringify({ ...message, result: { ...message.result, data: wrapped(message.result, data) } }),
        );
      send(
        messageOf(
          true,
          Array.from({ length: machines }, (_, at) => targetAt(at, 0)),
        ),
      );
    });
  });

  return {
    sample(round, of) {
      const changed = Array.from({ length: machines }, (_, at) => at).filter((at) => at % of === round % of);
      send?.(
        messageOf(
          false,
          changed.map((at) => targetAt(at, round)),
        ),
      );
    },
  };
}

type WireMessage = { id?: unknown; params?: { path?: string }; result?: { type?: string; data?: unknown } };

function messagesOf(text: string | Buffer): WireMessage[] {
  const raw = String(text);
  if (!raw.startsWith("{") && !raw.startsWith("[")) return [];
  return [JSON.parse(raw)].flat();
}

/** Tracked messages carry their data one level deeper. */
function wrapped(result: WireMessage["result"], data: unknown): unknown {
  const before = result?.data;
  const isTracked = typeof before === "object" && before !== null && "data" in before && "id" in before;
  return isTracked ? { ...before, data } : data;
}

/** Memory and processes of MIG instances: the resident `nvidia-smi -q` loop, which runs only beside cards in MIG mode. */
import { loop } from "./nvidia-command.ts";
import { burstMs, type NvidiaLoopBase, startNvidiaLoop } from "./nvidia-loop.ts";
import type { KnownGpu } from "./nvidia-view.ts";
import type { ListedGpu } from "./parse-list.ts";
import { createMigQueryParser, type MigRound } from "./parse-query-mig.ts";

export type NvidiaMigOptions = NvidiaLoopBase & { intervalMs: number; onRound: (round: MigRound) => void };

export function startNvidiaMig(options: NvidiaMigOptions): { close(): Promise<void> } {
  const parser = createMigQueryParser();
  let quiet: NodeJS.Timeout | null = null;
  const resident = startNvidiaLoop(options, {
    intervalMs: options.intervalMs,
    mayBeQuiet: false,
    prepare: async () => loop(["-q"], options.intervalMs),
    onLine: (line) => {
      take(parser.line(line));
      quiet ??= setTimeout(atQuiet, burstMs(options.intervalMs)).unref();
      quiet.refresh();
      return true;
    },
    // Without it the instances keep the floor that their profile's name gives, and the cards have problems of their own.
    onProblem: () => undefined,
  });

  function atQuiet(): void {
    quiet = null;
    take(parser.take());
  }

  function take(round: MigRound | null): void {
    if (round === null) return;
    resident.settled();
    options.onRound(round);
  }

  return {
    close: async () => {
      if (quiet !== null) clearTimeout(quiet);
      await resident.close();
    },
  };
}

/** Instances come and go while a card is in use: whether the listing, which alone knows UUIDs, names those of the round. */
export function isListed(round: MigRound, known: readonly KnownGpu[], listed: readonly ListedGpu[]): boolean {
  const named = listed.flatMap(({ uuid, instances }) => {
    const busId = known.find((gpu) => gpu.uuid === uuid)?.busId;
    return instances.map(({ device }) => `${busId} ${device}`);
  });
  return instancesIn(round) === named.sort().join(",");
}

export function instancesIn(round: MigRound): string {
  return round.readings
    .map(({ busId, device }) => `${busId} ${device}`)
    .sort()
    .join(",");
}

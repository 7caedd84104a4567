/**
 * Who holds memory on NVIDIA devices: the resident `--query-compute-apps` loop.
 *
 * Owns the loop and the timer that asks once more when rows stop coming: a round without processes prints nothing, so the
 * loop alone cannot tell "none" from "not yet". At the start, when rows stop and on `refresh` a single query answers, whose
 * end of output is the end of the round. An older answer never replaces a newer one.
 */
import { appsQuery, askApps, loop } from "./nvidia-command.ts";
import { burstMs, type NvidiaLoopBase, startNvidiaLoop } from "./nvidia-loop.ts";
import type { OwnedProcess } from "./nvidia-view.ts";
import { type AppRow, parseAppRow } from "./parse-apps-csv.ts";
import type { ProcessOwners } from "./process-owner.ts";
import { createRound } from "./round.ts";

export type NvidiaProcessesOptions = NvidiaLoopBase & {
  owners: ProcessOwners;
  intervalMs: number;
  /** Bus ids to ask; empty for all. */
  ids: () => Promise<string[]>;
  onProcesses: (processes: OwnedProcess[]) => void;
  onProblem: (reason: string | null) => void;
};

export type NvidiaProcesses = { refresh(): Promise<void>; close(): Promise<void> };

export function startNvidiaProcesses(options: NvidiaProcessesOptions): NvidiaProcesses {
  let newest = 0;
  let closed = false;
  let expiry: NodeJS.Timeout | null = null;

  const round = createRound<AppRow>({
    onRound: (rows) => {
      resident.settled();
      void take(rows);
    },
    quietMs: burstMs(options.intervalMs),
    onRepeat: "replace",
  });
  const resident = startNvidiaLoop(options, {
    intervalMs: options.intervalMs,
    mayBeQuiet: true,
    prepare: async () => {
      void refresh();
      return loop(appsQuery(await options.ids()), options.intervalMs);
    },
    onLine: (line) => {
      const row = parseAppRow(line);
      if (row !== null) round.add(`${row.uuid} ${row.pid}`, row, null);
      return row !== null;
    },
    onProblem: options.onProblem,
  });

  async function take(rows: readonly AppRow[]): Promise<void> {
    const mine = ++newest;
    if (expiry !== null) clearTimeout(expiry);
    expiry = null;
    const owners = await options.owners.of(new Map(rows.map(({ pid, processName }) => [pid, processName])));
    if (closed || mine !== newest) return;
    if (rows.length > 0) expiry = setTimeout(() => void refresh(), options.intervalMs * 1.5).unref();
    options.onProcesses(
      rows.map(({ uuid, pid, memoryMib }) => ({
        uuid,
        pid,
        memoryMib,
        ...(owners.get(pid) ?? { user: null, command: null, attempt: null }),
      })),
    );
  }

  async function refresh(): Promise<void> {
    const answer = await askApps(options.command, await options.ids());
    if (answer.ok && !closed) await take(answer.value);
  }

  return {
    refresh,
    close: async () => {
      closed = true;
      round.close();
      if (expiry !== null) clearTimeout(expiry);
      await resident.close();
    },
  };
}

/**
 * How long jobs took that succeeded: what an estimate of a running one goes by. Owns the latest few of each kind, in memory.
 * A kind is one user's same command, else one user's jobs in one queue. Invariant: no more kinds than `KINDS_MAX`; those that
 * were not seen for longest are forgotten first.
 */
import type { RunTimeRow } from "../../db/queries/list-run-times.ts";

export type RunKind = { teamId: string; userId: string; queueId: number; commandKey: string };

export type RunTimes = {
  /** @param rows the newest first. */
  load(rows: RunTimeRow[]): void;
  add(kind: RunKind, ranMs: number): void;
  of(kind: RunKind): readonly number[];
};

const RUNS_KEPT = 9;
/** An estimate needs three; with fewer of the command, the queue's say more. */
const RUNS_OF_COMMAND_MIN = 3;
const KINDS_MAX = 20_000;

export function createRunTimes(): RunTimes {
  const runs = new Map<string, number[]>();
  const times: RunTimes = {
    load(rows) {
      runs.clear();
      for (const row of rows.toReversed()) times.add(row, row.ranMs);
    },
    add(kind, ranMs) {
      for (const key of [commandOf(kind), queueOf(kind)]) {
        const list = runs.get(key) ?? [];
        list.push(ranMs);
        if (list.length > RUNS_KEPT) list.shift();
        runs.delete(key);
        runs.set(key, list);
      }
      for (const key of runs.keys()) {
        if (runs.size <= KINDS_MAX) break;
        runs.delete(key);
      }
    },
    of(kind) {
      const ofCommand = runs.get(commandOf(kind)) ?? [];
      return ofCommand.length >= RUNS_OF_COMMAND_MIN ? ofCommand : (runs.get(queueOf(kind)) ?? []);
    },
  };
  return times;
}

function commandOf({ teamId, userId, commandKey }: RunKind): string {
  return `${teamId} ${userId} ${commandKey}`;
}

function queueOf({ teamId, userId, queueId }: RunKind): string {
  return `${teamId} ${userId} queue ${queueId}`;
}

/**
 * Attempts that this node was asked for and that never ran here: refused, or cancelled before they came. Owns: their reports,
 * until the control plane says `forget`. They are kept in memory only: after a restart the node does not know them, the
 * control plane asks again, and the answer is found again. So the oldest may go when there are too many.
 */
import { TEXT_CHARS_MAX } from "@nexus/shared/protocol/limits";
import type { AttemptExit, AttemptInventory } from "@nexus/shared/protocol/messages";

export type NeverRan = {
  add(given: Pick<AttemptExit, "attempt" | "fence" | "reason" | "message" | "nodeFault">): AttemptExit;
  get(attempt: string): AttemptExit | null;
  forget(attempt: string): void;
  exits(): AttemptExit[];
  inventory(): AttemptInventory[];
};

/** Each is forgotten a moment after it was told; a control plane that never does costs no more than these. */
export const REPORTS_MAX = 4_000;

export function createNeverRan(nowMs: () => number): NeverRan {
  const reports = new Map<string, { exit: AttemptExit; atMs: number }>();

  const aged = ({ exit, atMs }: { exit: AttemptExit; atMs: number }): AttemptExit => ({
    ...exit,
    endedAgoMs: Math.round(nowMs() - atMs),
  });

  const neverRan: NeverRan = {
    add(given) {
      const exit: AttemptExit = {
        ...given,
        // A longer one would be no message of the protocol, and cost the node its connection again and again.
        message: given.message?.slice(0, TEXT_CHARS_MAX) ?? null,
        exitCode: null,
        signal: null,
        logBytes: 0,
        ranMs: null,
        endedAgoMs: 0,
        leftovers: [],
      };
      reports.set(given.attempt, { exit, atMs: nowMs() });
      const [oldest] = reports.keys();
      if (reports.size > REPORTS_MAX && oldest !== undefined) reports.delete(oldest);
      return exit;
    },
    get(attempt) {
      const report = reports.get(attempt);
      return report === undefined ? null : aged(report);
    },
    forget: (attempt) => void reports.delete(attempt),
    exits: () => [...reports.values()].map(aged),
    inventory: () =>
      neverRan.exits().map((exit) => ({
        attempt: exit.attempt,
        fence: exit.fence,
        state: "exited",
        pid: null,
        startedAgoMs: null,
        logBytes: 0,
        exit,
      })),
  };
  return neverRan;
}

import type { AttemptRecord, Claim } from "../core/attempt-record.ts";
import type { DiskFacts } from "../core/attempts.ts";
import { existsOrder, readRecord } from "./attempt-files.ts";
import { treeIsAlive } from "./end-trees.ts";
import { type LiveAttempt, treeOf } from "./live-attempt.ts";
import type { ProcessTable } from "./process-row.ts";

export type FactsContext = {
  table: ProcessTable;
  bootId: string;
  scriptPrefix: string;
  others: Iterable<LiveAttempt>;
};

/**
 * What can be seen of an attempt whose supervisor does not tell, for `judge`. The record is read before the processes, to know
 * which to look for, and after them: a supervisor that is gone has written all that it will ever write. Where a supervisor
 * came forward between the two, the processes were looked up for the wrong one, and it begins anew; a record changes four
 * times at most.
 */
export function gatherFacts(live: LiveAttempt, context: FactsContext): DiskFacts {
  const { table, bootId } = context;
  const sameBoot = live.known.bootId === bootId;
  for (;;) {
    const early = readRecord(live.files);
    live.claim ??= early.claim;
    live.childPid ??= early.childPid;
    const supervisorAlive = sameBoot && supervisorIsAlive(live.claim, table);
    const isOpen = sameBoot && early.end === null && !supervisorAlive;
    const isUnclaimed = early.claim === null && (early.exists || live.isAwaited);
    const supervisorUnaccounted = isOpen && isUnclaimed && hasUnaccounted(live, context);
    const orderExists = existsOrder(live.files);
    // Without a record and with its order nothing of it can have begun; the pass over all processes is not needed.
    const mayRun = isOpen && !supervisorUnaccounted && (early.exists || !orderExists);
    const treeAlive = mayRun && treeIsAlive(treeOf(live), table.scan(live.claim?.startTime ?? null));
    const record = readRecord(live.files);
    if (record.end === null && !isSameBeginning(early, record)) continue;
    return { record, orderExists, sameBoot, supervisorAlive, treeAlive, supervisorUnaccounted };
  }
}

export function supervisorIsAlive(claim: Claim | null, table: ProcessTable): boolean {
  return claim !== null && table.startTimeOf(claim.pid) === claim.startTime;
}

function isSameBeginning(one: AttemptRecord, other: AttemptRecord): boolean {
  return (
    one.exists === other.exists && one.claim?.pid === other.claim?.pid && one.childPid === other.childPid
  );
}

/**
 * Whether somebody may still come to begin an attempt that never will: an order that was read before it was removed lives on in
 * its supervisor. The record keeps that one away for as long.
 */
export function mayBeClaimed(live: LiveAttempt, context: FactsContext): boolean {
  if (live.outcome?.kind !== "void" || live.known.bootId !== context.bootId) return false;
  return existsOrder(live.files) || hasUnaccounted(live, context);
}

/**
 * Whether a supervisor lives that may be about to write this attempt's claim: one that has claimed nothing, or whose last
 * claim is not known. Where that claim is forgotten already, the answer is yes until it ends: late, and not wrong.
 */
function hasUnaccounted({ known }: LiveAttempt, { table, scriptPrefix, others }: FactsContext): boolean {
  const claimed = new Set([...others].flatMap(({ claim }) => (claim?.more === 0 ? claim.pid : [])));
  return table.running(scriptPrefix).some(({ pid, session, words }) => {
    if (words.includes("supervise")) return words.includes(known.attempt);
    // A launcher leads its session; the supervisors that it forked do not.
    return pid !== session && !claimed.has(pid);
  });
}

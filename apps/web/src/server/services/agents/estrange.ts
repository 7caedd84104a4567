import type { AttemptInventory } from "@nexus/shared/protocol/messages";
import { estrangeAttempts } from "../../db/queries/estrange-attempts.ts";
import { announceJobs } from "../announce-jobs.ts";
import type { NodeSession } from "../ports.ts";
import type { LiveJob } from "../scheduling/live-jobs.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";
import { isUnknownHere } from "./sync-node.ts";

/**
 * A machine came with a node's identity that is not the one that was here before: a copy, or a disk that moved. What was sent
 * to that one, and is not known to have begun, may run there; it waits for that machine or for a person. In the lane, and
 * before the facts of this one are written down: who comes next is compared with those.
 */
export async function estrange(
  ctx: ServiceContext,
  world: World,
  { node, named }: { node: NodeSession; named: AttemptInventory[] },
): Promise<void> {
  const known = new Set(named.filter((one) => !isUnknownHere(one)).map((one) => one.attempt));
  const { live, fleet } = world;
  const attempts = live
    .attemptsOn(node.targetId)
    .filter(
      (one) =>
        one.startedAtMs === null &&
        one.ended === null &&
        one.maybeSent &&
        !live.isGivenUp(one) &&
        !known.has(one.id),
    );
  if (attempts.length === 0) return;
  const nowMs = ctx.clock.nowMs();
  const message = `another machine came as ${node.targetName}, perhaps a copy of its disk; whether it began on the one before is not known`;
  const attemptIds = attempts.map((attempt) => attempt.rowId);
  const rows = await estrangeAttempts(ctx.sql, { attemptIds, actor: "control plane", message, nowMs });
  const versions = new Map(rows.map((row) => [row.publicId, row.version]));
  const moved: LiveJob[] = [];
  for (const attempt of attempts) {
    attempt.isEstranged = true;
    const job = live.jobs.get(attempt.job);
    const version = versions.get(attempt.job);
    if (!job || version === undefined) continue;
    live.move(job, "silence", version);
    moved.push(job);
  }
  if (moved.length < attempts.length) world.isStale = true;
  const target = fleet.get(node.targetId);
  const count = `${moved.length} job${moved.length === 1 ? "" : "s"}`;
  if (target) {
    const notice = `Another machine came with this node's identity, perhaps a copy of its disk. ${count} may run on the one before and wait for it, or for a person: nexus requeue.`;
    target.notice = { level: "warning", code: "another_machine", message: notice, atMs: nowMs };
  }
  announceJobs(ctx.events, moved);
}

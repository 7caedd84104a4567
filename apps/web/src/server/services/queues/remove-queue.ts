import { DEFAULT_QUEUE } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { countQueueJobs } from "../../db/queries/count-queue-jobs.ts";
import { emptyQueue } from "../../db/queries/empty-queue.ts";
import { findQueue } from "../../db/queries/find-queue.ts";
import { lockTeam } from "../../db/queries/lock-team.ts";
import { removeQueue as removeRow } from "../../db/queries/remove-queue.ts";
import type { Principal } from "../ports.ts";
import { recordAudit } from "../record-audit.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";
import type { ParsedInput } from "../services.ts";
import { noQueue } from "./no-queue.ts";

/** In the write lane, so that no job joins it meanwhile. @returns the jobs that go on elsewhere. */
export async function removeQueue(
  ctx: ServiceContext,
  world: World,
  { principal, input: { name, moveTo } }: { principal: Principal; input: ParsedInput<"queues.remove"> },
): Promise<string[]> {
  const { teamId, userName } = principal;
  if (name === DEFAULT_QUEUE) {
    throw new NexusError("invalid_state", {
      detail: `Queue ${name} stays: jobs that name no queue join it. It can be paused or limited.`,
    });
  }
  if (moveTo === name) {
    throw new NexusError("bad_request", { detail: `The jobs of ${name} cannot go on in ${name} itself.` });
  }
  const nowMs = ctx.clock.nowMs();
  const at = new Date(nowMs);
  const { moved, toId } = await ctx.db.transaction(async (tx) => {
    await lockTeam(tx, teamId);
    const queue = await findQueue(tx, teamId, name);
    if (!queue) throw noQueue(name);
    const to = moveTo === undefined ? undefined : await findQueue(tx, teamId, moveTo);
    if (moveTo !== undefined && !to) throw noQueue(moveTo);
    const { waiting, active } = await countQueueJobs(tx, queue.id);
    if (!to && waiting + active > 0) {
      throw new NexusError("invalid_state", {
        detail: `Queue ${name} is not empty: ${waiting} wait and ${active} run. Say which queue they go on in (\`--move-to\`), or wait until they are done.`,
      });
    }
    const message = `queue ${name} was removed, goes on in ${moveTo ?? ""}`;
    const jobs = to
      ? await emptyQueue(tx, { fromId: queue.id, toId: to.id, actor: userName, message, at })
      : [];
    await removeRow(tx, queue.id, at);
    const where = jobs.length === 0 ? "" : `; ${jobs.length} of its jobs went on in ${moveTo}`;
    await recordAudit(tx, principal, {
      action: "queue.removed",
      subject: name,
      detail: `Queue ${name} removed${where}.`,
      atMs: nowMs,
    });
    return { moved: jobs, toId: to?.id };
  });
  for (const { publicId, version } of moved) {
    const job = world.live.jobs.get(publicId);
    if (job && toId !== undefined) {
      world.live.lineUp(job, { queueId: toId, priority: job.priority, version });
    } else world.isStale = true;
  }
  return moved.map(({ publicId }) => publicId);
}

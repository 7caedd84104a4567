/** Queues of teams: few, always in memory, read again when one is named that is not known yet. */
import type { Queue } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { listQueues, type QueueRow } from "../../db/queries/list-queues.ts";
import { putQueue } from "../../db/queries/put-queue.ts";
import type { Principal } from "../ports.ts";
import { recordAudit } from "../record-audit.ts";
import type { LiveJob } from "../scheduling/live-jobs.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";
import type { ParsedInput } from "../services.ts";
import type { WriteLane } from "../write-lane.ts";

export type Queues = {
  /** @throws NexusError not_found */
  byName(teamId: string, name: string): Promise<QueueRow>;
  list(principal: Principal): Promise<Queue[]>;
  put(principal: Principal, input: ParsedInput<"queues.put">): Promise<Queue>;
};

export function createQueues(
  ctx: ServiceContext,
  world: World,
  { lane, wake }: { lane: WriteLane; wake: () => void },
): Queues {
  const find = (teamId: string, name: string) =>
    [...world.queues.values()].find((queue) => queue.teamId === teamId && queue.name === name);

  /** In the lane, so that a reload of the world that read before us does not undo it after us. */
  async function refresh(): Promise<void> {
    await lane.run(async () => {
      const rows = await listQueues(ctx.sql);
      world.queues = new Map(rows.map((row) => [row.id, row]));
    });
  }

  const queues: Queues = {
    async byName(teamId, name) {
      const known = find(teamId, name);
      if (known) return known;
      await refresh();
      const found = find(teamId, name);
      if (found) return found;
      throw new NexusError("not_found", { detail: `There is no queue ${name}.` });
    },
    async list({ teamId }) {
      const rows = await listQueues(ctx.sql);
      const longest = longestWaits(teamId);
      return rows.filter((queue) => queue.teamId === teamId).map((queue) => viewOf(queue, longest));
    },
    async put(principal, input) {
      const { teamId } = principal;
      await ctx.db.transaction(async (tx) => {
        await putQueue(tx, { teamId, ...input });
        const limit = input.runningMax === null ? "no limit" : `limit ${input.runningMax}`;
        await recordAudit(tx, principal, {
          action: "queue.put",
          subject: input.name,
          detail: `Queue ${input.name}: priority ${input.priority}, ${input.paused ? "paused" : "open"}, ${limit}.`,
          atMs: ctx.clock.nowMs(),
        });
      });
      await refresh();
      wake();
      return viewOf(await queues.byName(teamId, input.name), longestWaits(teamId));
    },
  };
  return queues;

  function viewOf(
    { id, name, priority, paused, runningMax }: QueueRow,
    longest: ReadonlyMap<number, LiveJob>,
  ): Queue {
    const job = longest.get(id);
    const waitsLongest = job ? { job: job.id, user: job.userName, sinceMs: job.createdAtMs } : null;
    return { name, priority, paused, runningMax, ...world.live.queueCounts(id), waitsLongest };
  }

  /** By the row id of the queue. One pass over the line, since all queues are shown together. */
  function longestWaits(teamId: string): Map<number, LiveJob> {
    const longest = new Map<number, LiveJob>();
    for (const job of world.live.queued(teamId)) {
      const known = longest.get(job.queueId);
      if (!known || job.createdAtMs < known.createdAtMs) longest.set(job.queueId, job);
    }
    return longest;
  }
}

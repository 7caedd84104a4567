/** Queues of teams: few, always in memory, read again when one is named that is not known yet. */
import type { Queue } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { isSelected } from "../../core/scheduler/feasible.ts";
import { findQueue } from "../../db/queries/find-queue.ts";
import { listQueues, type QueueRow } from "../../db/queries/list-queues.ts";
import { lockTeam } from "../../db/queries/lock-team.ts";
import { type NewQueue, putQueue } from "../../db/queries/put-queue.ts";
import type { Principal } from "../ports.ts";
import { recordAudit } from "../record-audit.ts";
import type { LiveJob } from "../scheduling/live-jobs.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";
import type { ParsedInput } from "../services.ts";
import type { WriteLane } from "../write-lane.ts";
import { noQueue } from "./no-queue.ts";
import { queueWords } from "./queue-words.ts";
import { removeQueue } from "./remove-queue.ts";

export type Queues = {
  /** @throws NexusError not_found */
  byName(teamId: string, name: string): Promise<QueueRow>;
  list(principal: Principal): Promise<Queue[]>;
  put(principal: Principal, input: ParsedInput<"queues.put">): Promise<Queue>;
  remove(principal: Principal, input: ParsedInput<"queues.remove">): Promise<{ ok: true; moved: number }>;
};

export function createQueues(
  ctx: ServiceContext,
  world: World,
  { lane, wake }: { lane: WriteLane; wake: () => void },
): Queues {
  const find = (teamId: string, name: string) =>
    [...world.queues.values()].find((queue) => queue.teamId === teamId && queue.name === name);

  /** In the lane, so that a reload of the world that read before us does not undo it after us. */
  async function refreshInLane(): Promise<void> {
    const rows = await listQueues(ctx.sql);
    world.queues = new Map(rows.map((row) => [row.id, row]));
  }

  const queues: Queues = {
    async byName(teamId, name) {
      const known = find(teamId, name);
      if (known) return known;
      await lane.run(refreshInLane);
      const found = find(teamId, name);
      if (found) return found;
      throw noQueue(name);
    },
    async list({ teamId }) {
      const rows = await listQueues(ctx.sql);
      const uses = usesOf(teamId);
      return rows.filter((queue) => queue.teamId === teamId).map((queue) => viewOf(queue, uses));
    },
    async put(principal, input) {
      const { teamId } = principal;
      await ctx.db.transaction(async (tx) => {
        await lockTeam(tx, teamId);
        const before = await findQueue(tx, teamId, input.name);
        if (before && input.only === "new") {
          throw new NexusError("conflict", { detail: `There is a queue ${input.name} already.` });
        }
        if (!before && input.only === "existing") throw noQueue(input.name);
        const selector =
          input.selector === undefined
            ? before?.selector
            : storedSelector(teamId, input.selector, before?.id);
        const after: NewQueue = {
          teamId,
          name: input.name,
          priority: input.priority ?? before?.priority ?? 0,
          paused: input.paused ?? before?.paused ?? false,
          runningMax: given(input.runningMax, before?.runningMax),
          gpusMax: given(input.gpusMax, before?.gpusMax),
          userRunningMax: given(input.userRunningMax, before?.userRunningMax),
          userGpusMax: given(input.userGpusMax, before?.userGpusMax),
          selector: selector ?? { labels: {}, targetIds: [] },
        };
        await putQueue(tx, after);
        const targets = after.selector.targetIds.map((id) => targetName(id, before?.id));
        await recordAudit(tx, principal, {
          action: "queue.put",
          subject: input.name,
          detail: queueWords({ ...after, selector: { labels: after.selector.labels, targets } }),
          atMs: ctx.clock.nowMs(),
        });
      });
      await lane.run(refreshInLane);
      wake();
      return viewOf(await queues.byName(teamId, input.name), usesOf(teamId));
    },
    async remove(principal, input) {
      const moved = await lane.run(async () => {
        const ids = await removeQueue(ctx, world, { principal, input });
        await refreshInLane();
        return ids;
      });
      if (moved.length > 0) ctx.events.emit("job", { teamId: principal.teamId, jobs: moved });
      wake();
      return { ok: true, moved: moved.length };
    },
  };
  return queues;

  function viewOf({ id, teamId: _team, ...row }: QueueRow, uses: Uses): Queue {
    const { longest, gpusHeld } = uses;
    const job = longest.get(id);
    return {
      ...row,
      selector: {
        labels: row.selector.labels,
        targets: row.selector.targets.map((target) => targetName(target.id, id)),
      },
      targetsSelected: uses.boards.filter((board) => isSelected(board, row.selector)).length,
      ...world.live.queueCounts(id),
      gpusHeld: gpusHeld.get(id) ?? 0,
      waitsLongest: job ? { job: job.id, user: job.userName, sinceMs: job.createdAtMs } : null,
    };
  }

  /** The name it has now; of one that left, the last one. */
  function targetName(targetId: number, queueId: number | undefined): string {
    const known = world.fleet.get(targetId)?.row.name;
    if (known !== undefined) return known;
    const before = queueId === undefined ? undefined : world.queues.get(queueId)?.selector.targets;
    return before?.find(({ id }) => id === targetId)?.name ?? "a target that left";
  }

  function storedSelector(
    teamId: string,
    { labels, targets }: NonNullable<ParsedInput<"queues.put">["selector"]>,
    queueId: number | undefined,
  ): NewQueue["selector"] {
    const before = queueId === undefined ? [] : (world.queues.get(queueId)?.selector.targets ?? []);
    const targetIds = targets.map((name) => {
      // One that left may stay named: else the queue could not be changed without opening it to the whole fleet.
      const id = world.fleet.byName(teamId, name)?.row.id ?? before.find((one) => one.name === name)?.id;
      if (id !== undefined) return id;
      throw new NexusError("not_found", {
        detail: `There is no target ${name}. \`nexus targets list\` names those there are.`,
      });
    });
    return { labels, targetIds: [...new Set(targetIds)].sort((a, b) => a - b) };
  }

  type Uses = ReturnType<typeof usesOf>;

  /** By the row id of the queue. One pass over the line, since all queues are shown together. */
  function usesOf(teamId: string) {
    const longest = new Map<number, LiveJob>();
    for (const job of world.live.queued(teamId)) {
      const known = longest.get(job.queueId);
      if (!known || job.createdAtMs < known.createdAtMs) longest.set(job.queueId, job);
    }
    const gpusHeld = new Map<number, number>();
    for (const { queueId, attempt } of world.live.active(teamId)) {
      gpusHeld.set(queueId, (gpusHeld.get(queueId) ?? 0) + (attempt?.gpus.length ?? 0));
    }
    const boards = world.fleet.inTeam(teamId).map(({ view }) => ({ target: view }));
    return { longest, gpusHeld, boards };
  }
}

function given(wanted: number | null | undefined, before: number | null | undefined): number | null {
  return wanted === undefined ? (before ?? null) : wanted;
}

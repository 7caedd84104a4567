import type { OutputOf } from "@nexus/shared/api/contract";
import { jobCan } from "@nexus/shared/machines/job";
import { roleAllows } from "@nexus/shared/roles";
import { findJobs } from "../../db/queries/find-jobs.ts";
import type { JobRow } from "../../db/queries/job-row.ts";
import { type JobLineUp, lineUpJobs } from "../../db/queries/line-up-jobs.ts";
import type { Principal } from "../ports.ts";
import { noQueue } from "../queues/no-queue.ts";
import type { Queues } from "../queues/queues.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";
import type { ParsedInput } from "../services.ts";
import type { WriteLane } from "../write-lane.ts";

type Result = OutputOf<"jobs.move">["results"][number];

const PRIORITY_MAX = 1000;

/** Gives waiting jobs another queue, another priority, or both. */
export async function moveJobs(
  ctx: ServiceContext,
  parts: { world: World; lane: WriteLane; queues: Queues; planNow: () => Promise<void> },
  { principal, input }: { principal: Principal; input: ParsedInput<"jobs.move"> },
): Promise<OutputOf<"jobs.move">> {
  const { world, lane, queues, planNow } = parts;
  const queue = input.queue === undefined ? null : await queues.byName(principal.teamId, input.queue);
  const rows = await findJobs(ctx.sql, principal.teamId, input.jobs);
  const byId = new Map(rows.map((row) => [row.publicId, row]));
  const refusals = new Map(input.jobs.map((id) => [id, refusalOf(byId.get(id), principal)]));
  const mayMove = rows.filter((row) => refusals.get(row.publicId) === null);
  const moved = mayMove.length === 0 ? new Map<string, Result>() : await lane.run(moveInLane);
  // Whoever reads the line next sees the new order.
  await planNow();
  return {
    results: input.jobs.map((job) => {
      const refusal = refusals.get(job) ?? null;
      if (refusal !== null) return { job, ok: false, message: refusal };
      return moved.get(job) ?? { job, ok: false, message: "it left the line just before" };
    }),
  };

  async function moveInLane(): Promise<Map<string, Result>> {
    if (queue && !world.queues.has(queue.id)) throw noQueue(queue.name);
    const lineUps = new Map<string, JobLineUp>();
    for (const { publicId } of mayMove) {
      const job = world.live.jobs.get(publicId);
      if (!job) continue;
      const queueId = queue?.id ?? job.queueId;
      const priority = input.top ? topOf(queueId, job.priority) : (input.priority ?? job.priority);
      const message = `moved to queue ${world.queues.get(queueId)?.name ?? ""}, priority ${priority}`;
      lineUps.set(publicId, { jobId: job.rowId, queueId, priority, message });
    }
    const options = { actor: principal.userName, nowMs: ctx.clock.nowMs() };
    const written = await lineUpJobs(ctx.sql, [...lineUps.values()], options);
    const results = new Map<string, Result>();
    for (const { publicId, version } of written) {
      const job = world.live.jobs.get(publicId);
      const lineUp = lineUps.get(publicId);
      if (!job || !lineUp) continue;
      world.live.lineUp(job, { ...lineUp, version });
      results.set(publicId, { job: publicId, ok: true, message: lineUp.message });
    }
    ctx.events.emit("job", { teamId: principal.teamId, jobs: written.map((row) => row.publicId) });
    return results;
  }

  /** Above all that wait there and are not moved too. */
  function topOf(queueId: number, own: number): number {
    const moving = new Set(mayMove.map((row) => row.publicId));
    const others = world.live
      .queued(principal.teamId)
      .filter((job) => job.queueId === queueId && !moving.has(job.id));
    const highest = others.reduce((most, job) => Math.max(most, job.priority), Number.NEGATIVE_INFINITY);
    return Math.min(PRIORITY_MAX, Math.max(own, highest + 1));
  }
}

function refusalOf(row: JobRow | undefined, principal: Principal): string | null {
  if (!row) return "there is no such job";
  if (row.userId !== principal.userId && !roleAllows(principal.role, "admin")) {
    return `it is ${row.userName}'s; only they and admins may move it`;
  }
  const can = jobCan.move(row.state);
  return can === true ? null : can;
}

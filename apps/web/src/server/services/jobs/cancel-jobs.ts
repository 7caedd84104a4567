import type { OutputOf } from "@nexus/shared/api/contract";
import type { ErrorCode } from "@nexus/shared/errors";
import { isFinal, jobCan } from "@nexus/shared/machines/job";
import { roleAllows } from "@nexus/shared/roles";
import { cancelJobs as cancelRows } from "../../db/queries/cancel-jobs.ts";
import type { JobRow } from "../../db/queries/job-row.ts";
import type { Principal } from "../ports.ts";
import { askToEnd } from "../scheduling/ask-to-end.ts";
import type { LiveJob } from "../scheduling/live-jobs.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";
import type { ParsedInput } from "../services.ts";
import type { WriteLane } from "../write-lane.ts";
import { findNamedJobs } from "./find-named-jobs.ts";

type Result = OutputOf<"jobs.cancel">["results"][number];

/**
 * Ends queued jobs at once and asks the nodes to end active ones. A node that is away is asked when it comes back; until
 * then its job keeps its lease, since its process may well be running.
 */
export async function cancelJobs(
  ctx: ServiceContext,
  parts: { world: World; lane: WriteLane; wake: () => void },
  { principal, input }: { principal: Principal; input: ParsedInput<"jobs.cancel"> },
): Promise<OutputOf<"jobs.cancel">> {
  const { world, lane, wake } = parts;
  const named = await findNamedJobs(ctx.sql, principal.teamId, input.jobs);
  const refusals = new Map(input.jobs.map((name) => [name, refusalOf(named.get(name), principal)]));
  const allowed = [...named].filter(([name]) => refusals.get(name) === null);
  const mayCancel = [...new Set(allowed.map(([, row]) => row.id))];
  const graceMs = input.graceMs ?? null;
  const changed =
    mayCancel.length === 0 ? new Map<string, Result>() : await lane.run(() => cancelInLane(mayCancel));
  wake();
  return {
    results: input.jobs.map((name) => {
      const job = named.get(name)?.publicId ?? name;
      const refusal = refusals.get(name) ?? null;
      if (refusal !== null) return { job, ok: false, ...refusal };
      return changed.get(job) ?? { job, ok: false, code: "invalid_state", message: "it ended just before" };
    }),
  };

  async function cancelInLane(jobIds: number[]): Promise<Map<string, Result>> {
    const results = new Map<string, Result>();
    const options = { actor: principal.userName, graceMs, nowMs: ctx.clock.nowMs() };
    const written = await cancelRows(ctx.sql, jobIds, options);
    for (const { publicId, state, version } of written) {
      const job = world.live.jobs.get(publicId);
      if (!job) {
        world.isStale = true;
      } else if (isFinal(state)) {
        world.live.move(job, "cancel", version);
      } else {
        job.version = version;
        job.cancel = { graceMs: graceMs ?? job.cancel?.graceMs ?? job.graceMs, isAsked: false };
      }
      results.set(publicId, { job: publicId, ok: true, message: messageOf(job, isFinal(state)) });
    }
    ctx.events.emit("job", { teamId: principal.teamId, jobs: written.map((row) => row.publicId) });
    return results;
  }

  function messageOf(job: LiveJob | undefined, isOver: boolean): string {
    if (isOver || !job?.attempt || !job.cancel) return "cancelled";
    const target = world.fleet.get(job.attempt.targetId)?.row.name ?? "its node";
    return askToEnd(ctx, job.attempt, job.cancel)
      ? `asked ${target} to end it`
      : `${target} is away; it ends when ${target} is back`;
  }
}

function refusalOf(
  row: JobRow | undefined,
  principal: Principal,
): { code: ErrorCode; message: string } | null {
  if (!row) return { code: "not_found", message: "there is no such job, or more than one begins so" };
  if (row.userId !== principal.userId && !roleAllows(principal.role, "admin")) {
    return { code: "forbidden", message: `it is ${row.userName}'s; only they and admins may end it` };
  }
  const can = jobCan.cancel(row.state);
  return can === true ? null : { code: "invalid_state", message: can };
}

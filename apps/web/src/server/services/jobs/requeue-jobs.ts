import type { OutputOf } from "@nexus/shared/api/contract";
import { jobSpecSchema } from "@nexus/shared/api/schemas";
import { type ErrorCode, NexusError } from "@nexus/shared/errors";
import { isFinal, jobCan } from "@nexus/shared/machines/job";
import { roleAllows } from "@nexus/shared/roles";
import { findJobs } from "../../db/queries/find-jobs.ts";
import type { JobRow } from "../../db/queries/job-row.ts";
import type { Principal } from "../ports.ts";
import { isSilent, type PutBack, putBack } from "../scheduling/put-back.ts";
import type { ServiceContext } from "../service-context.ts";
import type { ParsedInput } from "../services.ts";
import type { WriteLane } from "../write-lane.ts";
import { type SubmitParts, submitJobs } from "./submit-jobs.ts";

type Result = OutputOf<"jobs.requeue">["results"][number];
type Requeueing = { principal: Principal; input: ParsedInput<"jobs.requeue"> };

/**
 * A person puts jobs back in the line. Of an unreachable job the attempt on the silent node is given up; it may run on there, and
 * the person was told so. What is over stays as it was: another job is made like it.
 */
export async function requeueJobs(
  ctx: ServiceContext,
  parts: SubmitParts & { lane: WriteLane },
  { principal, input }: Requeueing,
): Promise<OutputOf<"jobs.requeue">> {
  const rows = await findJobs(ctx.sql, principal.teamId, input.jobs);
  const byId = new Map(rows.map((row) => [row.publicId, row]));
  const refusals = new Map(input.jobs.map((id) => [id, refusalOf(byId.get(id), principal)]));
  const allowed = rows.filter((row) => refusals.get(row.publicId) === null);
  const silent = allowed.filter(({ state }) => !isFinal(state)).map(({ publicId }) => publicId);
  const done =
    silent.length === 0 ? new Map<string, Result>() : await giveUp(ctx, parts, { principal, silent });
  for (const row of allowed)
    if (isFinal(row.state)) done.set(row.publicId, await submitAgain(ctx, parts, { principal, input, row }));
  // Whoever asks next finds a place for them, or a reason.
  await parts.loop.planNow();
  return {
    results: input.jobs.map((job) => {
      const refusal = refusals.get(job) ?? null;
      if (refusal !== null) return { job, ok: false, queued: null, ...refusal };
      return done.get(job) ?? refused(job, "invalid_state", "it was heard of again, or ended, just before");
    }),
  };
}

async function giveUp(
  ctx: ServiceContext,
  { world, lane }: SubmitParts & { lane: WriteLane },
  { principal, silent }: { principal: Principal; silent: string[] },
): Promise<Map<string, Result>> {
  return await lane.run(async () => {
    if (world.isStale) await world.load();
    const asked = silent.flatMap((id): PutBack[] => {
      const job = world.live.jobs.get(id);
      if (job?.state !== "unreachable" || !job.attempt || job.cancel) return [];
      const { attempt } = job;
      const target = world.fleet.get(attempt.targetId);
      if (target && !isSilent(target, attempt)) return [];
      const message = `gave up try ${attempt.fence} on ${nameOf(attempt.targetId)}, which is silent; that may still run there`;
      return [{ job, attempt, actor: principal.userName, message, isByRule: false }];
    });
    const names = new Map(asked.map(({ job, attempt }) => [job.id, nameOf(attempt.targetId)]));
    const moved = await putBack(ctx, world, asked);
    return new Map(
      moved.map(({ id }): [string, Result] => {
        const message = `back in the line; what it began on ${names.get(id)} may run on there until that is back`;
        return [id, { job: id, ok: true, queued: id, message }];
      }),
    );
  });

  function nameOf(targetId: number): string {
    return world.fleet.get(targetId)?.row.name ?? "its node";
  }
}

async function submitAgain(
  ctx: ServiceContext,
  parts: SubmitParts,
  { principal, input, row }: Requeueing & { row: JobRow },
): Promise<Result> {
  const job = row.publicId;
  const submitKey = input.submitKey === undefined ? undefined : `${input.submitKey}:${job}`;
  try {
    const again = { jobs: [specOf(row)], submitKey, immediate: false };
    const { jobs } = await submitJobs(ctx, parts, { principal, input: again, againOf: job });
    const queued = jobs[0]?.id ?? null;
    return { job, ok: true, queued, message: `it is over; added again as ${queued}` };
  } catch (error) {
    if (error instanceof NexusError) return refused(job, error.code, `not added again: ${error.message}`);
    throw error;
  }
}

function specOf(row: JobRow) {
  const { command, env, cwd, name, gpus, gpuMemoryMib, gpuModel, timeoutMs, graceMs, retry } = row;
  const { wantedTarget, labels, queue, priority } = row;
  return jobSpecSchema.parse({
    ...{ command, env, gpus, graceMs, labels, queue, priority },
    cwd: cwd ?? undefined,
    name: name ?? undefined,
    gpuMemoryMib: gpuMemoryMib ?? undefined,
    gpuModel: gpuModel ?? undefined,
    timeoutMs: timeoutMs ?? undefined,
    retry: retry ?? undefined,
    target: wantedTarget ?? undefined,
  });
}

function refused(job: string, code: ErrorCode, message: string): Result {
  return { job, ok: false, queued: null, code, message };
}

function refusalOf(
  row: JobRow | undefined,
  principal: Principal,
): { code: ErrorCode; message: string } | null {
  if (!row) return { code: "not_found", message: "there is no such job" };
  if (row.userId !== principal.userId && !roleAllows(principal.role, "admin")) {
    return { code: "forbidden", message: `it is ${row.userName}'s; only they and admins may queue it again` };
  }
  if (row.isCancelRequested && !isFinal(row.state))
    return { code: "invalid_state", message: "somebody asked for its end; it ends when its node is back" };
  const can = jobCan.requeue(row.state);
  return can === true ? null : { code: "invalid_state", message: can };
}

/** Takes jobs in: checks what only the fleet can tell, fills defaults in, and hands them to the scheduler's next round. */
import type { OutputOf } from "@nexus/shared/api/contract";
import type { Job, JobSpec } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { newId } from "@nexus/shared/ids";
import { GPUS_PER_JOB_MAX, HEADER_BYTES_MAX } from "@nexus/shared/protocol/limits";
import { explainReason, mayPass } from "@nexus/shared/scheduler/reason";
import { isSelected } from "../../core/scheduler/feasible.ts";
import { shapeOf } from "../../core/scheduler/snapshot.ts";
import { findJobsBySubmitKey } from "../../db/queries/find-jobs-by-submit-key.ts";
import type { NewJob } from "../../db/queries/insert-jobs.ts";
import type { QueueRow } from "../../db/queries/list-queues.ts";
import { isCleanText } from "../clean-text.ts";
import type { LiveTarget } from "../fleet/live-fleet.ts";
import type { Principal } from "../ports.ts";
import type { Queues } from "../queues/queues.ts";
import type { LiveJob } from "../scheduling/live-jobs.ts";
import type { SchedulerLoop } from "../scheduling/scheduler-loop.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";
import type { ParsedInput } from "../services.ts";
import { jobView, newJobView } from "./job-view.ts";

/** A start frame must hold it, escaped as JSON, beside the ids of as many GPUs as a job can have and the rest. */
const START_BYTES_MAX = HEADER_BYTES_MAX - GPUS_PER_JOB_MAX * 160 - 8 * 1024;

export type SubmitParts = { world: World; loop: SchedulerLoop; queues: Queues };

type Draft = { given: NewJob; live: LiveJob };

export async function submitJobs(
  ctx: ServiceContext,
  { world, loop, queues }: SubmitParts,
  {
    principal,
    input,
    againOf,
  }: {
    principal: Principal;
    input: ParsedInput<"jobs.submit">;
    /** The job that these are made of, which is over. */
    againOf?: string;
  },
): Promise<{ jobs: Job[] }> {
  const drafts: Draft[] = [];
  // Of jobs of one moment the smaller id is ahead, so that an array waits in the order in which it was given.
  const ids = input.jobs.map(() => newId("job", ctx.randomBytes)).sort();
  for (const [position, spec] of input.jobs.entries()) {
    const queue = await queues.byName(principal.teamId, spec.queue);
    const submitKey = input.submitKey === undefined ? null : `${input.submitKey}:${position}`;
    drafts.push(draftOf(ctx, world, { principal, spec, queue, submitKey, againOf, publicId: ids[position] }));
  }
  const submission = {
    jobs: drafts.map((draft) => draft.given),
    drafts: drafts.map((draft) => draft.live),
    isImmediate: input.immediate,
  };
  let inserted: Set<string>;
  try {
    inserted = await loop.submit(submission);
  } catch (error) {
    // A retry of what was submitted before is no refusal, though nothing is free any more.
    const before = await submittedBefore(ctx, world, { principal, drafts });
    if (before.size < drafts.length) throw error;
    return { jobs: drafts.flatMap(({ given }) => before.get(given.submitKey ?? "") ?? []) };
  }
  const missing = drafts.filter(({ given }) => !inserted.has(given.publicId));
  const before = await submittedBefore(ctx, world, { principal, drafts: missing });
  return {
    jobs: drafts.flatMap(({ given, live }, i) => {
      if (!inserted.has(given.publicId)) return before.get(given.submitKey ?? "") ?? [];
      return [newJobView(given, live, { world, queue: input.jobs[i]?.queue ?? "" })];
    }),
  };
}

/** What submitting would do now. */
export async function previewJob(
  ctx: ServiceContext,
  { world, loop, queues }: SubmitParts,
  { principal, spec }: { principal: Principal; spec: JobSpec },
): Promise<OutputOf<"jobs.preview">> {
  const queue = await queues.byName(principal.teamId, spec.queue);
  const { live } = draftOf(ctx, world, { principal, spec, queue, submitKey: null });
  const { placement, reason } = loop.preview(live);
  const { gpus } = live.shape;
  if (!placement) {
    const sentence = explainReason(reason);
    return { startsNow: false, target: null, sentence, gpus, canEverRun: mayPass(reason) };
  }
  const target = world.fleet.get(placement.targetId)?.row.name ?? null;
  const count = gpus === 0 ? "without a GPU" : `with ${gpus} GPU${gpus === 1 ? "" : "s"}`;
  const sentence = `starts now on ${target} ${count}`;
  return { startsNow: true, target, sentence, gpus, canEverRun: true };
}

function draftOf(
  ctx: ServiceContext,
  world: World,
  given: {
    principal: Principal;
    spec: JobSpec;
    queue: QueueRow;
    submitKey: string | null;
    againOf?: string | undefined;
    publicId?: string | undefined;
  },
): Draft {
  const { principal, spec, queue, submitKey } = given;
  const queueId = queue.id;
  const { userId, userName, teamId } = principal;
  refuseUnstorable(spec);
  const wanted = spec.target === undefined ? null : wantedTarget(world, teamId, spec.target);
  const gpus = spec.gpus ?? defaultGpus(world, teamId, { wanted, spec, queue });
  if (gpus === 0 && (spec.gpuMemoryMib !== undefined || spec.gpuModel !== undefined)) {
    throw new NexusError("bad_request", {
      detail: "A job without GPUs cannot ask for GPU memory or a model.",
    });
  }
  const { command, env, graceMs, labels, priority } = spec;
  const job: NewJob = {
    publicId: given.publicId ?? newId("job", ctx.randomBytes),
    ...{ teamId, queueId, userId, userName, submitKey, command, env, graceMs, labels, priority, gpus },
    name: spec.name ?? null,
    cwd: spec.cwd ?? null,
    gpuMemoryMib: spec.gpuMemoryMib ?? null,
    gpuModel: spec.gpuModel ?? null,
    timeoutMs: spec.timeoutMs ?? null,
    retry: spec.retry ?? null,
    againOf: given.againOf ?? null,
    wantedTargetId: wanted?.row.id ?? null,
    place: null,
  };
  const { gpuMemoryMib, gpuModel, timeoutMs } = job;
  const wantedView = wanted && { id: wanted.row.id, name: wanted.row.name };
  return {
    given: job,
    live: {
      id: job.publicId,
      rowId: 0,
      commandKey: "",
      ...{ teamId, userId, userName, queueId, priority, timeoutMs, graceMs },
      createdAtMs: ctx.clock.nowMs(),
      shape: shapeOf({ gpus, gpuMemoryMib, gpuModel, labels, wanted: wantedView }),
      backoff: null,
      state: "queued",
      version: 1,
      ...{ fence: 0, retry: job.retry, retriesUsed: 0, silentMs: 0 },
      reason: { code: "new" },
      cancel: null,
      attempt: null,
      activeView: null,
    },
  };
}

function wantedTarget(world: World, teamId: string, idOrName: string): LiveTarget {
  const target = world.fleet.byName(teamId, idOrName);
  if (target) return target;
  throw new NexusError("not_found", {
    detail: `There is no target ${idOrName}. \`nexus targets list\` names those there are.`,
  });
}

/**
 * One where a target that matches has any; who names memory or a model means a GPU. What nothing matches yet is likely to
 * come, and to be like the rest of the fleet.
 */
function defaultGpus(
  world: World,
  teamId: string,
  { wanted, spec, queue }: { wanted: LiveTarget | null; spec: JobSpec; queue: QueueRow },
): number {
  if (spec.gpuMemoryMib !== undefined || spec.gpuModel !== undefined) return 1;
  const fleet = world.fleet.inTeam(teamId);
  const matching = (wanted ? [wanted] : fleet).filter(
    ({ row, view }) =>
      Object.entries(spec.labels).every(([key, value]) => row.labels[key] === value) &&
      isSelected({ target: view }, queue.selector),
  );
  const asked = matching.length > 0 ? matching : fleet;
  const hasGpus = asked.some(({ gpus }) =>
    [...gpus.values()].some((gpu) => gpu.facts.schedulable && !gpu.isMissing),
  );
  return hasGpus ? 1 : 0;
}

/** What Postgres or a start frame cannot hold is refused here, where its sender is told. */
function refuseUnstorable(spec: JobSpec): void {
  const texts = [
    spec.name ?? "",
    spec.cwd ?? "",
    spec.gpuModel ?? "",
    ...spec.command,
    ...Object.values(spec.env),
  ];
  if (!texts.every(isCleanText)) {
    throw new NexusError("bad_request", {
      detail: "The job has text that is not valid Unicode, or a NUL byte.",
    });
  }
  const bytes = Buffer.byteLength(JSON.stringify([spec.command, spec.env, spec.cwd]));
  if (bytes > START_BYTES_MAX) {
    throw new NexusError("too_large", {
      detail: `Command and environment take ${bytes} bytes; at most ${START_BYTES_MAX} can be sent. Put the data into a file.`,
    });
  }
}

async function submittedBefore(
  ctx: ServiceContext,
  world: World,
  { principal, drafts }: { principal: Principal; drafts: Draft[] },
): Promise<Map<string, Job>> {
  const keys = drafts.flatMap(({ given }) => given.submitKey ?? []);
  if (keys.length === 0) return new Map();
  const rows = await findJobsBySubmitKey(ctx.sql, principal.teamId, keys);
  return new Map(
    rows.map(({ submitKey, ...row }) => {
      return [
        submitKey,
        jobView(row, {
          principal,
          live: world.live.jobs.get(row.publicId),
          logBytes: null,
          logTrouble: null,
        }),
      ];
    }),
  );
}

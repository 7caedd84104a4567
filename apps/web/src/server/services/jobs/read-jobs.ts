/** Jobs as people read them: rows of the database with what memory knows laid over. */
import type { OutputOf } from "@nexus/shared/api/contract";
import type { GpuPoint, Job, JobTimelineEvent } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { isActive } from "@nexus/shared/machines/job";
import { findJobs } from "../../db/queries/find-jobs.ts";
import { findJobsByPrefix } from "../../db/queries/find-jobs-by-prefix.ts";
import type { JobRow } from "../../db/queries/job-row.ts";
import { listGpuSamples } from "../../db/queries/list-gpu-samples.ts";
import { listJobEvents } from "../../db/queries/list-job-events.ts";
import { countJobs, type JobFilter, listJobIds, listJobs } from "../../db/queries/list-jobs.ts";
import type { AgentLog } from "../agents/agent-log.ts";
import type { Principal } from "../ports.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";
import type { ParsedInput } from "../services.ts";
import { jobView } from "./job-view.ts";
import { sampleStepMs } from "./sample-step.ts";

/** Beyond this `total` says this: nobody pages further, and counting a history of millions is not free. */
const TOTAL_MAX = 10_000;

export type JobReader = {
  get(principal: Principal, id: string): Promise<Job>;
  row(principal: Principal, id: string): Promise<JobRow>;
  getMany(principal: Principal, ids: string[]): Promise<Job[]>;
  list(principal: Principal, input: ParsedInput<"jobs.list">): Promise<OutputOf<"jobs.list">>;
  events(principal: Principal, id: string): Promise<JobTimelineEvent[]>;
  samples(principal: Principal, id: string): Promise<{ points: GpuPoint[] }>;
};

export function createJobReader(
  ctx: ServiceContext,
  world: World,
  agentLog: Pick<AgentLog, "sizeOf" | "troubleOf">,
): JobReader {
  const { sql } = ctx;

  async function view(principal: Principal, row: JobRow): Promise<Job> {
    const live = world.live.jobs.get(row.publicId);
    // Of a job that runs, the store knows the size; of one that ended, its row.
    const isGrowing = isActive(row.state) && row.attempt !== null;
    const logBytes = isGrowing && row.attempt ? await agentLog.sizeOf(row.attempt) : null;
    const logTrouble = row.attempt === null ? null : agentLog.troubleOf(row.attempt);
    return jobView(row, { principal, live, logBytes, logTrouble });
  }

  const reader: JobReader = {
    async row(principal, id) {
      const [exact] = await findJobs(sql, principal.teamId, [id]);
      if (exact) return exact;
      const ids = id.length < 4 ? [] : await findJobsByPrefix(sql, principal.teamId, id);
      if (ids.length > 1) {
        throw new NexusError("not_found", {
          detail: `More than one job begins with ${id}; give more of its id.`,
        });
      }
      const [row] = ids.length === 1 ? await findJobs(sql, principal.teamId, ids) : [];
      if (row) return row;
      throw new NexusError("not_found", { detail: `There is no job ${id}.` });
    },
    async get(principal, id) {
      return await view(principal, await reader.row(principal, id));
    },
    async getMany(principal, ids) {
      const rows = await findJobs(sql, principal.teamId, ids);
      return await Promise.all(rows.map((row) => view(principal, row)));
    },
    async list(principal, input) {
      const filter = filterOf(principal, input);
      return input.order === "line"
        ? await inLine(principal, input, filter)
        : await newest(principal, input, filter);
    },
    async events(principal, id) {
      const row = await reader.row(principal, id);
      return await listJobEvents(sql, principal.teamId, row.publicId);
    },
    async samples(principal, id) {
      const row = await reader.row(principal, id);
      const target = world.fleet.byName(principal.teamId, row.targetPublicId ?? "");
      if (!target || row.startedAtMs === null || row.gpuUuids.length === 0) return { points: [] };
      const sinceMs = row.startedAtMs;
      const untilMs = row.endedAtMs ?? ctx.clock.nowMs();
      const range = { targetId: target.row.id, uuids: row.gpuUuids, sinceMs, untilMs };
      return { points: await listGpuSamples(sql, { ...range, stepMs: sampleStepMs(untilMs - sinceMs) }) };
    },
  };
  return reader;

  async function newest(
    principal: Principal,
    { limit, cursor }: ParsedInput<"jobs.list">,
    filter: JobFilter,
  ): Promise<OutputOf<"jobs.list">> {
    const beforeId = cursor === undefined ? null : cursorNumber(cursor);
    const [rows, total] = await Promise.all([
      listJobs(sql, { filter, beforeId, limit: limit + 1 }),
      countJobs(sql, filter, TOTAL_MAX),
    ]);
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      jobs: await Promise.all(page.map((row) => view(principal, row))),
      next: rows.length > limit && last ? String(last.id) : null,
      total,
    };
  }

  /** What runs, newest first, then what waits, in the order of the last plan. */
  async function inLine(
    principal: Principal,
    { limit, cursor }: ParsedInput<"jobs.list">,
    filter: JobFilter,
  ): Promise<OutputOf<"jobs.list">> {
    const place = new Map((world.line.get(principal.teamId) ?? []).map((id, i) => [id, i]));
    const placeOf = ({ publicId, state }: { publicId: string; state: string }) =>
      state === "queued" ? (place.get(publicId) ?? place.size) : -1;
    const found = (await listJobIds(sql, filter)).sort((a, b) => placeOf(a) - placeOf(b));
    const from = cursor === undefined ? 0 : cursorNumber(cursor);
    const ids = found.slice(from, from + limit).map((row) => row.publicId);
    const jobs = new Map((await reader.getMany(principal, ids)).map((job) => [job.id, job]));
    return {
      jobs: ids.flatMap((id) => jobs.get(id) ?? []),
      next: from + limit < found.length ? String(from + limit) : null,
      total: found.length,
    };
  }
}

function filterOf(principal: Principal, input: ParsedInput<"jobs.list">): JobFilter {
  const isLine = input.order === "line";
  return {
    teamId: principal.teamId,
    states: input.states ?? (isLine ? ["queued", "assigned", "starting", "running", "unreachable"] : null),
    userId: input.user === "me" ? principal.userId : (input.user ?? null),
    target: input.target ?? null,
    queue: input.queue ?? null,
    text: input.text?.trim() ? input.text.trim().toLowerCase() : null,
  };
}

function cursorNumber(cursor: string): number {
  const number = Number(cursor);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new NexusError("bad_request", { detail: "The cursor is not one that a page gave." });
}

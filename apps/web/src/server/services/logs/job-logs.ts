/** Logs of jobs for people: by offset, from the end, and as they grow. */
import type { Job, LogTrouble } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { isFinal } from "@nexus/shared/machines/job";
import { followLog } from "../../core/logs/follow-log.ts";
import { createLogWatch } from "../../core/logs/log-watch.ts";
import { findJobAttempt } from "../../db/queries/find-job-attempt.ts";
import type { JobRow } from "../../db/queries/job-row.ts";
import type { AgentLog } from "../agents/agent-log.ts";
import type { JobReader } from "../jobs/read-jobs.ts";
import type { Principal } from "../ports.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";
import type { FollowFrom, LogChunk, LogSlice, OpenLog } from "../services.ts";
import { logTroublesOf } from "./log-troubles.ts";

export type JobLogs = {
  read(
    principal: Principal,
    job: string,
    range: { offset: number; limit: number; fence?: number | undefined },
  ): Promise<LogSlice>;
  follow(principal: Principal, job: string, from: FollowFrom): AsyncIterable<LogChunk>;
  tailOffset(principal: Principal, job: string, lines: number): Promise<number>;
  open(principal: Principal, job: string, fence?: number): Promise<OpenLog | null>;
  state(principal: Principal, job: string): Promise<{ logBytes: number; logEnded: boolean }>;
  troubles(job: Pick<Job, "id" | "attempt">): LogTrouble[] | null;
};

export type JobLogsParts = { reader: JobReader; agentLog: Pick<AgentLog, "sizeOf" | "troubleOf"> };

export function createJobLogs(
  ctx: ServiceContext,
  world: World,
  { reader, agentLog }: JobLogsParts,
): JobLogs {
  const { logs, events } = ctx;
  const watch = createLogWatch(events);

  /** Over, and every byte here; or given up. An attempt leaves the live ones when it is closed. */
  function hasEnded(row: JobRow): boolean {
    return isFinal(row.state) && (row.attempt === null || !world.live.attempts.has(row.attempt));
  }

  async function attemptOf(principal: Principal, job: string, fence: number): Promise<string> {
    const { publicId } = await reader.row(principal, job);
    const attempt = await findJobAttempt(ctx.sql, { teamId: principal.teamId, job: publicId, fence });
    if (attempt !== null) return attempt;
    throw new NexusError("not_found", { detail: `${publicId} has had no try ${fence}.` });
  }

  async function sizeOf(row: Pick<JobRow, "attempt">): Promise<number> {
    if (row.attempt === null) return 0;
    // A live log that cannot be looked at grows later; one that has ended must not be taken for an empty one.
    return world.live.attempts.has(row.attempt)
      ? await agentLog.sizeOf(row.attempt)
      : await logs.size(row.attempt);
  }

  return {
    async read(principal, job, { offset, limit, fence }) {
      const row =
        fence === undefined
          ? await reader.row(principal, job)
          : { attempt: await attemptOf(principal, job, fence) };
      // The end is asked for before the bytes: what comes between is then not taken for the last.
      const ended = "state" in row ? hasEnded(row) : !world.live.attempts.has(row.attempt);
      const { attempt } = row;
      const size = await sizeOf(row);
      const isThere = attempt !== null && offset < size;
      const bytes = isThere && attempt ? await logs.read(attempt, offset, limit) : new Uint8Array(0);
      return { attempt, bytes, offset, size, ended };
    },
    async tailOffset(principal, job, lines) {
      const { attempt } = await reader.row(principal, job);
      return attempt === null ? 0 : await logs.tailOffset(attempt, lines);
    },
    async open(principal, job, fence) {
      const attempt =
        fence === undefined
          ? (await reader.row(principal, job)).attempt
          : await attemptOf(principal, job, fence);
      if (attempt === null) return null;
      return {
        attempt,
        size: await logs.size(attempt),
        read: (offset, limit) => logs.read(attempt, offset, limit),
        tailOffset: (lines, signal) => logs.tailOffset(attempt, lines, signal),
        linesBefore: (offset, signal) => logs.linesBefore(attempt, offset, signal),
      };
    },
    async state(principal, job) {
      const row = await reader.row(principal, job);
      const logEnded = hasEnded(row);
      return { logBytes: await sizeOf(row), logEnded };
    },
    troubles({ id, attempt: last }) {
      const live = world.live.jobs.get(id);
      const attempt = live ? live.attempt : world.live.attempts.get(last ?? "");
      if (!live && !attempt) return null;
      return logTroublesOf({
        live,
        logGapAt: attempt?.logGapAt ?? null,
        // Only what has ended loses its log.
        logRemovedAtMs: null,
        target: (attempt && world.fleet.get(attempt.targetId)?.row.name) ?? "its node",
        trouble: attempt ? agentLog.troubleOf(attempt.id) : null,
      });
    },
    async *follow(principal, job, { offset = 0, tailLines, signal }) {
      let from = offset;
      // As it was when nothing more of it was to come: it may be taken up again, and even over, before we look for the next.
      let wasGivenUp = false;
      for (let before: string | null = null; ; ) {
        const row = await attemptAfter(principal, job, { before, wasGivenUp, signal });
        const attempt = row?.attempt ?? null;
        if (!row || attempt === null) return;
        if (before === null && tailLines !== undefined) from = await logs.tailOffset(attempt, tailLines);
        // Given up before, and taken up again.
        else if (before !== null && before !== attempt) from = 0;
        let isFollowed = false;
        const pieces = followLog({
          offset: from,
          signal,
          read: (at, limit) => logs.read(attempt, at, limit),
          isEnded: async () => {
            if (isAwaited(attempt)) return false;
            isFollowed = true;
            wasGivenUp = isGivenUp(attempt);
            return true;
          },
          onChange: (listener) => watch.onChange(attempt, listener),
        });
        for await (const { offset: at, bytes } of pieces) {
          yield { attempt, offset: at, bytes };
          from = at + bytes.byteLength;
        }
        if (signal.aborted || !isFollowed) return;
        before = attempt;
      }
    },
  };

  /** More of its log may come to those who wait for its job. */
  function isAwaited(attempt: string): boolean {
    const live = world.live.attempts.get(attempt);
    return live !== undefined && !world.live.isGivenUp(live);
  }

  function isGivenUp(attempt: string): boolean {
    const live = world.live.attempts.get(attempt);
    return live !== undefined && world.live.isGivenUp(live);
  }

  /** Waits for the job's next attempt, or for one that was given up to be taken up again. Null when it is over without one, or the reader left. */
  async function attemptAfter(
    principal: Principal,
    job: string,
    { before, wasGivenUp, signal }: { before: string | null; wasGivenUp: boolean; signal: AbortSignal },
  ): Promise<JobRow | null> {
    let row = await reader.row(principal, job);
    const { publicId } = row;
    for (;;) {
      const changed = nextChange(publicId, signal);
      row = await reader.row(principal, publicId);
      const isNext = row.attempt !== null && (row.attempt !== before || wasGivenUp);
      if (isNext) {
        changed.cancel();
        return row;
      }
      if (signal.aborted || isFinal(row.state)) {
        changed.cancel();
        return null;
      }
      await changed.happened;
    }
  }

  function nextChange(job: string, signal: AbortSignal): { happened: Promise<void>; cancel: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const unlisten = events.on("job", ({ jobs }) => {
      if (jobs.includes(job)) done();
    });
    function done(): void {
      unlisten();
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
    return { happened: promise, cancel: done };
  }
}

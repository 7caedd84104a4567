/** Carries out what `sync-node.ts` decides: the answer to an inventory. */

import { BATCH_ITEMS_MAX } from "@nexus/shared/protocol/limits";
import type { AttemptInventory, ServerMessage } from "@nexus/shared/protocol/messages";
import { closeAttempts } from "../../db/queries/close-attempts.ts";
import { type EndedAttempt, endAttempts } from "../../db/queries/end-attempts.ts";
import { findAttempts } from "../../db/queries/find-attempts.ts";
import { type JobMove, moveJobs } from "../../db/queries/move-jobs.ts";
import type { NodeSession } from "../ports.ts";
import type { LiveAttempt } from "../scheduling/live-jobs.ts";
import { markSent, readStarts, startOf } from "../scheduling/send-starts.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";
import type { WriteLane } from "../write-lane.ts";
import type { AgentLog } from "./agent-log.ts";
import { agoMs } from "./ago.ts";
import { applyEnds } from "./apply-ends.ts";
import { endGivenUp } from "./end-given-up.ts";
import { endedByUs } from "./ended-by-us.ts";
import type { Report, Reports } from "./reports.ts";
import { shortenLog } from "./shorten-log.ts";
import { type KnownAttempt, missingMeans, wantOf } from "./sync-node.ts";
import { takeUp } from "./take-up.ts";

export type NodeSyncParts = { lane: WriteLane; reports: Reports; agentLog: AgentLog; wake: () => void };

/** @returns `sync` for all that the node named, then the starts that it missed. */
export async function syncNode(
  ctx: ServiceContext,
  world: World,
  { node, named, parts }: { node: NodeSession; named: AttemptInventory[]; parts: NodeSyncParts },
): Promise<ServerMessage[]> {
  const { lane, reports, agentLog } = parts;
  const nowMs = ctx.clock.nowMs();
  await lane.run(async () => {
    if (world.isStale) await world.load();
    await takeUp(ctx, world, { node, named });
  });
  await reports.add(await reportsOf(world, agentLog, { node, named, nowMs }));
  const wants = await wantsOf(ctx, world, { node, named, agentLog });
  const namedIds = new Set(named.map((one) => one.attempt));
  const claimed = new Set(wants.filter(({ want }) => want !== "unclaimed").map(({ attempt }) => attempt));
  const starts = await lane.run(async () => {
    if (world.isStale) await world.load();
    const missing = world.live
      .attemptsOn(node.targetId)
      .filter((attempt) => !namedIds.has(attempt.id))
      .map((attempt) => knownOf(world, attempt));
    await giveUp(ctx, world, { missing, agentLog });
    stopGivenUp(world, { node, named, wants });
    await bringBack(ctx, world, { node, namedIds: claimed });
    const toStart = missing.filter((one) => missingMeans(one) === "start").map((one) => one.attempt);
    return await readStarts(ctx, world, toStart);
  });
  parts.wake();
  const messages: ServerMessage[] = [];
  for (let at = 0; at < wants.length; at += BATCH_ITEMS_MAX) {
    messages.push({ type: "sync", attempts: wants.slice(at, at + BATCH_ITEMS_MAX) });
  }
  messages.push(...stopsOf(world, wants));
  if (starts.length > 0) messages.push({ type: "start", jobs: starts.map(startOf) });
  markSent(world, starts);
  return messages;
}

async function reportsOf(
  world: World,
  agentLog: AgentLog,
  { node, named, nowMs }: { node: NodeSession; named: AttemptInventory[]; nowMs: number },
): Promise<Report[]> {
  const { targetId } = node;
  const reports: Report[] = [];
  // Only of those that are open: the log of a closed one is safe already, and syncing it again could only lose it.
  const exited = named.flatMap(({ exit }) => (exit && world.live.attempts.has(exit.attempt) ? [exit] : []));
  const isWhole = new Map(
    await Promise.all(
      exited.map(
        async ({ attempt, logBytes }) => [attempt, await agentLog.isWhole(attempt, logBytes)] as const,
      ),
    ),
  );
  for (const { attempt, fence, pid, startedAgoMs, exit } of named) {
    if (pid !== null && world.live.attempts.get(attempt)?.startedAtMs === null) {
      const startedAtMs = agoMs(nowMs, startedAgoMs ?? 0);
      reports.push({ kind: "started", report: { targetId, attempt, fence, pid, startedAtMs } });
    }
    if (exit && isWhole.has(exit.attempt)) {
      const isLogWhole = isWhole.get(exit.attempt) ?? false;
      const endedAtMs = agoMs(nowMs, exit.endedAgoMs);
      reports.push({ kind: "exited", report: { targetId, exit, endedAtMs, isLogWhole } });
    }
  }
  return reports;
}

type WantedAttempt = Extract<ServerMessage, { type: "sync" }>["attempts"][number];

async function wantsOf(
  ctx: ServiceContext,
  world: World,
  { node, named, agentLog }: { node: NodeSession; named: AttemptInventory[]; agentLog: AgentLog },
): Promise<WantedAttempt[]> {
  const mine = (id: string): LiveAttempt | null => {
    const attempt = world.live.attempts.get(id);
    return attempt?.targetId === node.targetId ? attempt : null;
  };
  const unknown = named.filter((one) => !mine(one.attempt)).map((one) => one.attempt);
  const rows = unknown.length > 0 ? await findAttempts(ctx.sql, unknown) : [];
  const found = new Map(
    rows.filter((row) => row.targetId === node.targetId).map((row) => [row.publicId, row]),
  );
  for (const { attempt, exit } of named) if (exit) shortenLog(mine(attempt), exit);
  const ended = named.flatMap((one) => mine(one.attempt) ?? []).filter((attempt) => attempt.ended !== null);
  const closed = new Set(await agentLog.close(ended));
  const wants: WantedAttempt[] = [];
  for (const one of named) {
    const { attempt: id, fence } = one;
    const attempt = mine(id);
    const known = attempt ? knownOf(world, attempt) : null;
    const want = closed.has(id) ? "forget" : wantOf(one, known, found.get(id) ?? null);
    const isKept = want === "adopt" || (want === "stop" && attempt !== null);
    wants.push({ attempt: id, fence, want, logBytes: isKept ? await agentLog.sizeOf(id) : 0 });
  }
  return wants;
}

/** What was given up while the logs were asked for runs on to be ended: its job has another try, or waits for one. */
function stopGivenUp(
  world: World,
  { node, named, wants }: { node: NodeSession; named: AttemptInventory[]; wants: WantedAttempt[] },
): void {
  const exited = new Set(named.filter(({ exit }) => exit !== null).map(({ attempt }) => attempt));
  for (const one of wants) {
    if (one.want !== "adopt" || exited.has(one.attempt)) continue;
    const attempt = world.live.attempts.get(one.attempt);
    if (attempt?.targetId === node.targetId && world.live.isGivenUp(attempt)) one.want = "stop";
  }
}

/** Ends what the node can never report on: cancelled before it began, lost, or over with the rest of its log gone. */
async function giveUp(
  ctx: ServiceContext,
  world: World,
  { missing, agentLog }: { missing: KnownAttempt[]; agentLog: AgentLog },
): Promise<void> {
  const nowMs = ctx.clock.nowMs();
  const ended = missing.flatMap(({ attempt, job }): EndedAttempt[] => {
    const means = missingMeans({ attempt, job });
    if (means !== "cancel" && means !== "lose") return [];
    const message =
      means === "lose" ? "its node no longer knows it; it may or may not have run to its end" : null;
    return [
      endedByUs(attempt, {
        state: means === "lose" ? "lost" : "cancelled",
        event: means,
        endReason: means === "lose" ? "lost" : "cancelled",
        message,
        endedAtMs: nowMs,
      }),
    ];
  });
  if (ended.length > 0) applyEnds(ctx, world, { ended, changed: await endAttempts(ctx.sql, ended) });
  const dropped = missing.filter((one) => missingMeans(one) === "drop").map((one) => one.attempt);
  await endGivenUp(
    ctx,
    world,
    dropped.map((attempt) => {
      const note = { atMs: nowMs, text: `does not know try ${attempt.fence}, which was given up` };
      const lost = { state: "lost", event: "lose", endReason: "lost", message: note.text } as const;
      const actor = world.fleet.get(attempt.targetId)?.row.name ?? "agent";
      return endedByUs(attempt, { ...lost, endedAtMs: nowMs, actor, note });
    }),
  );
  const over = missing
    .filter((one) => missingMeans(one) === "close" && one.attempt.ended)
    .map((one) => one.attempt);
  if (over.length === 0) return;
  await closeAttempts(
    ctx.sql,
    over.map((attempt) => attempt.rowId),
    nowMs,
  );
  for (const attempt of over) {
    world.live.closeAttempt(attempt);
    const { teamId, job, id } = attempt;
    ctx.events.emit("log", { teamId, job, attempt: id, logBytes: await agentLog.sizeOf(id), ended: true });
  }
}

/** Jobs that were unreachable and are named again. */
async function bringBack(
  ctx: ServiceContext,
  world: World,
  { node, namedIds }: { node: NodeSession; namedIds: Set<string> },
): Promise<void> {
  const back = world.live.attemptsOn(node.targetId).flatMap((attempt) => {
    const job = world.live.jobs.get(attempt.job);
    return job?.state === "unreachable" && job.attempt === attempt && namedIds.has(attempt.id) ? [job] : [];
  });
  if (back.length === 0) return;
  const moves = back.map(
    (job): JobMove => ({
      jobId: job.rowId,
      version: job.version,
      state: "running",
      event: "return",
      actor: node.targetName,
      message: "its node is back",
    }),
  );
  const changed = await moveJobs(ctx.sql, moves, ctx.clock.nowMs());
  for (const { publicId, version } of changed) {
    const job = world.live.jobs.get(publicId);
    if (job) world.live.move(job, "return", version);
  }
  if (changed.length < moves.length) world.isStale = true;
  ctx.events.emit("job", { teamId: node.teamId, jobs: changed.map((row) => row.publicId) });
}

/** `stop` in a sync says nothing of the grace; the message of its own does. */
function stopsOf(world: World, wants: WantedAttempt[]): ServerMessage[] {
  return wants.flatMap(({ attempt, fence, want }): ServerMessage[] => {
    if (want !== "stop") return [];
    // One that was given up is no job's any more: the next try of its job is asked, and ended, for itself.
    const live = world.live.attempts.get(attempt);
    const job = live ? knownOf(world, live).job : null;
    if (job?.cancel) job.cancel.isAsked = true;
    return [
      {
        type: "stop",
        attempt,
        fence,
        reason: "cancelled",
        graceMs: job?.cancel?.graceMs ?? job?.graceMs ?? 10_000,
      },
    ];
  });
}

function knownOf(world: World, attempt: LiveAttempt): KnownAttempt {
  const job = world.live.jobs.get(attempt.job);
  return { attempt, job: job?.attempt === attempt ? job : null };
}

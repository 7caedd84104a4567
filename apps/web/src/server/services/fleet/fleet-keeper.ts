/**
 * Who is here and who is away, and what silence means for jobs.
 *
 * Owns: the comings and goings of targets. Invariants: a target is `connected` exactly while a session of it lives here;
 * its jobs become unreachable only when it is away for longer than the grace, and running again when it is back; an attempt
 * that may have started is given up here only where its job has a rule for that, after the time that the rule names, of which
 * nothing counts in which this loop stood still or the clock was set. It takes back a placement only when we know that no
 * start frame of it ever left.
 */

import { assert } from "@nexus/shared/assert";
import { durationText } from "@nexus/shared/duration-text";
import type { TargetEvent } from "@nexus/shared/machines/target";
import { closeAttempts } from "../../db/queries/close-attempts.ts";
import { type EndedAttempt, endAttempts } from "../../db/queries/end-attempts.ts";
import { listFleet } from "../../db/queries/list-fleet.ts";
import { listGpus } from "../../db/queries/list-gpus.ts";
import { type JobMove, moveJobs } from "../../db/queries/move-jobs.ts";
import { setTargetStates } from "../../db/queries/set-target-states.ts";
import { applyEnds } from "../agents/apply-ends.ts";
import { endGivenUp } from "../agents/end-given-up.ts";
import { endedByUs } from "../agents/ended-by-us.ts";
import { announceJobs } from "../announce-jobs.ts";
import type { NodeSession } from "../ports.ts";
import { askToEnd } from "../scheduling/ask-to-end.ts";
import type { LiveJob } from "../scheduling/live-jobs.ts";
import { endEstranged, isSilent, type PutBack, putBack } from "../scheduling/put-back.ts";
import { readStarts, sendStarts } from "../scheduling/send-starts.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";
import type { WriteLane } from "../write-lane.ts";
import type { LiveTarget } from "./live-fleet.ts";

export type FleetKeeper = {
  arrive(node: NodeSession): Promise<void>;
  leave(node: NodeSession, why: string): Promise<void>;
  /** Reads a target's row again; it may be new, changed or gone. */
  refresh(targetId: number): Promise<LiveTarget | null>;
  /** At the start: nobody is connected yet, whatever the rows say. */
  assumeAway(): void;
  sweep(): Promise<void>;
};

/** Of the time between two sweeps: the rest we were not there, or it is the clock that was set. */
const SILENCE_STEP_MS_MAX = 10_000;

export function createFleetKeeper(
  ctx: ServiceContext,
  world: World,
  { lane, wake }: { lane: WriteLane; wake: () => void },
): FleetKeeper {
  const { clock, events, timing } = ctx;
  let sweptAtMs = clock.nowMs();

  const keeper: FleetKeeper = {
    async arrive(node) {
      const target = world.fleet.get(node.targetId) ?? (await keeper.refresh(node.targetId));
      if (!target) return;
      target.sessionId = node.sessionId;
      target.row.lastSeenAtMs = clock.nowMs();
      await move(target, "welcome");
    },
    async leave(node, why) {
      const target = world.fleet.get(node.targetId);
      if (!target || target.sessionId !== node.sessionId) return;
      target.sessionId = null;
      target.awaySinceMs = clock.nowMs();
      target.row.lastSeenAtMs = clock.nowMs();
      world.fleet.setReady(target, false);
      ctx.log("info", "node left", { target: node.targetPublicId, name: node.targetName, why });
      await move(target, "miss");
      wake();
    },
    async refresh(targetId) {
      // In the lane, so that a reload of the world that read before us does not undo it after us.
      const target = await lane.run(async () => {
        const [[row], gpus] = await Promise.all([listFleet(ctx.sql, targetId), listGpus(ctx.sql, targetId)]);
        if (row) return world.fleet.put(row, gpus);
        const gone = world.fleet.remove(targetId);
        if (gone) {
          await loseAll(gone);
          changed(gone, true);
        }
        return null;
      });
      if (target) changed(target, false);
      wake();
      return target;
    },
    assumeAway() {
      const nowMs = clock.nowMs();
      for (const target of world.fleet.targets()) {
        target.awaySinceMs = nowMs;
        // It is expected back within seconds: `unreachable` would be an alarm, and `connected` a lie.
        if (target.row.state === "connected")
          Object.assign(target.row, { state: "connecting", stateSinceMs: nowMs });
      }
    },
    async sweep() {
      const nowMs = clock.nowMs();
      for (const target of [...world.fleet.targets()]) {
        if (target.sessionId) target.row.lastSeenAtMs = nowMs;
        else await ageAway(target, nowMs - target.awaySinceMs);
      }
      for (const target of world.fleet.endPauses(nowMs)) {
        changed(target, false);
        wake();
      }
      await lane.run(settle);
    },
  };
  return keeper;

  async function ageAway(target: LiveTarget, awayMs: number): Promise<void> {
    const { state } = target.row;
    if (state === "connecting" && awayMs > timing.silenceGraceMs) await move(target, "miss");
    if (state === "unreachable" && awayMs > timing.offlineAfterMs) await move(target, "give_up");
  }

  async function move(target: LiveTarget, event: TargetEvent): Promise<void> {
    const nowMs = clock.nowMs();
    const state = world.fleet.move(target, event, nowMs);
    if (!state) return;
    try {
      await setTargetStates(ctx.sql, [{ targetId: target.row.id, state }], nowMs);
    } finally {
      changed(target, false);
    }
  }

  /** What the sweep mends in the rows of jobs, each kind in one statement. */
  async function settle(): Promise<void> {
    if (world.isStale) {
      wake();
      return;
    }
    await writeMoves();
    await giveUpByRule();
    if (await endEstranged(ctx, world)) wake();
    await takeBackUnsent();
    await resend();
    askAgainToEnd();
  }

  async function writeMoves(): Promise<void> {
    const nowMs = clock.nowMs();
    const moves: JobMove[] = [];
    for (const target of world.fleet.targets()) {
      if (target.sessionId !== null || nowMs - target.awaySinceMs <= timing.silenceGraceMs) continue;
      for (const job of activeOn(target)) {
        if (job.state === "unreachable" || !job.attempt?.maybeSent) continue;
        moves.push(
          moveOf(job, { state: "unreachable", event: "silence", message: `${target.row.name} is silent` }),
        );
      }
    }
    const silenced = new Set(moves.map((move) => move.jobId));
    for (const id of world.startingUnsaved) {
      const job = world.live.jobs.get(id);
      if (job?.state !== "starting" || silenced.has(job.rowId)) continue;
      moves.push(moveOf(job, { state: "starting", event: null, message: "" }));
    }
    world.startingUnsaved.clear();
    if (moves.length === 0) return;
    const rows = await moveJobs(ctx.sql, moves, nowMs);
    if (rows.length < moves.length) world.isStale = true;
    const jobs: LiveJob[] = [];
    for (const { publicId, version } of rows) {
      const job = world.live.jobs.get(publicId);
      if (!job) continue;
      if (silenced.has(job.rowId)) {
        world.live.move(job, "silence", version);
        jobs.push(job);
      } else job.version = version;
    }
    announceJobs(events, jobs);
  }

  async function giveUpByRule(): Promise<void> {
    const nowMs = clock.nowMs();
    const stepMs = Math.min(Math.max(0, nowMs - sweptAtMs), SILENCE_STEP_MS_MAX);
    sweptAtMs = nowMs;
    const due: PutBack[] = [];
    for (const target of world.fleet.targets()) {
      for (const job of activeOn(target)) {
        const { attempt, retry, retriesUsed, cancel } = job;
        if (job.state !== "unreachable" || retry === null || !attempt) continue;
        if (!isSilent(target, attempt)) continue;
        job.silentMs += stepMs;
        if (job.silentMs < retry.lostAfterMs || retriesUsed >= retry.attempts || cancel) continue;
        const message = `${target.row.name} is silent for ${durationText(retry.lostAfterMs)}, and its rule gives try ${attempt.fence} up then; that may still run there (retry ${retriesUsed + 1} of ${retry.attempts})`;
        due.push({ job, attempt, actor: "control plane", message, isByRule: true });
      }
    }
    if ((await putBack(ctx, world, due)).length > 0) wake();
  }

  async function takeBackUnsent(): Promise<void> {
    const ended: EndedAttempt[] = [];
    for (const target of world.fleet.targets()) {
      for (const job of activeOn(target)) {
        if (job.attempt?.maybeSent || job.state !== "assigned") continue;
        if (job.cancel) {
          ended.push(
            endOf(job, { state: "cancelled", event: "cancel", endReason: "cancelled", message: null }),
          );
        } else if (!target.isReady) {
          const message = `${target.row.name} left before it heard of it`;
          ended.push(endOf(job, { state: "queued", event: "unplace", endReason: "unplaced", message }));
        }
      }
    }
    if (ended.length === 0) return;
    applyEnds(ctx, world, { ended, changed: await endAttempts(ctx.sql, ended) });
    wake();
  }

  async function resend(): Promise<void> {
    const attempts = [...world.live.attempts.values()].filter(
      (attempt) =>
        attempt.needsSend &&
        !attempt.ended &&
        !attempt.isEstranged &&
        !world.live.jobs.get(attempt.job)?.cancel &&
        world.fleet.get(attempt.targetId)?.isReady,
    );
    sendStarts(ctx, world, await readStarts(ctx, world, attempts));
  }

  /** A node that is away is asked when it is back; one whose socket took no more is asked here. */
  function askAgainToEnd(): void {
    for (const { attempt, cancel } of world.live.jobs.values()) {
      if (!attempt || !cancel || cancel.isAsked || !world.fleet.get(attempt.targetId)?.isReady) continue;
      askToEnd(ctx, attempt, cancel);
    }
  }

  /** Its target was revoked: nobody will ever report on these. */
  async function loseAll(target: LiveTarget): Promise<void> {
    const message = `${target.row.name} was removed from the fleet`;
    const ended = activeOn(target).map((job) =>
      endOf(job, { state: "lost", event: "lose", endReason: "lost", message }),
    );
    if (ended.length > 0) applyEnds(ctx, world, { ended, changed: await endAttempts(ctx.sql, ended) });
    const rest = world.live.attemptsOn(target.row.id);
    if (rest.length === 0) return;
    const givenUp = rest.filter((attempt) => world.live.isGivenUp(attempt));
    await endGivenUp(
      ctx,
      world,
      givenUp.map((attempt) => {
        const lost = { state: "lost", event: "lose", endReason: "lost", message } as const;
        return endedByUs(attempt, { ...lost, endedAtMs: clock.nowMs() });
      }),
    );
    const rows = rest.map((attempt) => attempt.rowId);
    await closeAttempts(ctx.sql, rows, clock.nowMs());
    for (const attempt of rest) world.live.closeAttempt(attempt);
  }

  function activeOn(target: LiveTarget): LiveJob[] {
    return world.live.attemptsOn(target.row.id).flatMap((attempt) => {
      const job = world.live.jobs.get(attempt.job);
      return job?.attempt === attempt && !attempt.ended ? [job] : [];
    });
  }

  function moveOf(job: LiveJob, to: Pick<JobMove, "state" | "event" | "message">): JobMove {
    return { jobId: job.rowId, version: job.version, actor: "control plane", ...to };
  }

  function endOf(
    job: LiveJob,
    to: Pick<EndedAttempt, "state" | "event" | "endReason" | "message">,
  ): EndedAttempt {
    assert(job.attempt, "only a job with an attempt is ended");
    return endedByUs(job.attempt, { ...to, endedAtMs: clock.nowMs() });
  }

  function changed({ row }: LiveTarget, removed: boolean): void {
    events.emit("target", { teamId: row.teamId, target: row.publicId, removed });
  }
}

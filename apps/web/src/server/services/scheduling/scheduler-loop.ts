/**
 * Plans when something happened, and carries the plan out.
 *
 * Owns: the wake-up and the submissions that wait for the next round. States:
 * asleep; planned (a round begins after this turn of the event loop, so whatever else arrives now joins it); in a round,
 * inside the write lane; closed. Invariants: at most one round at a time; starts leave only after their commit; a round
 * that does not know how a write ended marks the world stale, and the next one reads it again before it plans. It refuses
 * submissions when the database is away, and plans nothing while the right to plan is not sure: jobs are then only queued.
 *
 * Why a submission is inserted by the round and not before it: what can start at once then costs one commit instead of
 * two, which is most of the time from submit to start (a durable commit is 1 to 3 ms); and a thousand submissions at once
 * are a handful of statements.
 */

import { NexusError } from "@nexus/shared/errors";
import { explainReason, type WaitingReason } from "@nexus/shared/scheduler/reason";
import { plan } from "../../core/scheduler/plan.ts";
import type { Placement, Plan } from "../../core/scheduler/snapshot.ts";
import { announceJobs } from "../announce-jobs.ts";
import type { ServiceContext } from "../service-context.ts";
import type { WriteLane } from "../write-lane.ts";
import { commitPlacements, commitSubmissions, placeOf, type Submission } from "./commit-plan.ts";
import { fleetSnapshot } from "./fleet-snapshot.ts";
import type { LiveJob } from "./live-jobs.ts";
import { type Start, sendStarts } from "./send-starts.ts";
import type { World } from "./world.ts";

export type SchedulerLoop = {
  start(): Promise<void>;
  wake(): void;
  /** A round, at once: whoever reads afterwards finds a reason for every job that waits. */
  planNow(): Promise<void>;
  /** Takes part in the next round. @returns the ids of the jobs that are new. */
  submit(submission: Submission): Promise<Set<string>>;
  /** What a round would do with this job now. */
  preview(draft: LiveJob): { placement: Placement | null; reason: WaitingReason };
  close(): Promise<void>;
};

type Waiting = {
  submission: Submission;
  resolve: (inserted: Set<string>) => void;
  reject: (error: unknown) => void;
};

/**
 * The least time between rounds, so that what frees up under load is given out together: fewer statements here, and larger orders
 * on the node, whose jobs share supervisors. Submissions do not wait for it, nor does a lone wake-up. With 20 ms here and in
 * reports.ts, control plane and Postgres took 1.4 ms of processor time a job of `true`, with 8 and 10 ms 1.9 (busy machine).
 */
const ROUND_GAP_MS = 20;
const RETRY_MS = 1_000;
const REFUSED_BACKOFF_MS = 5_000;
const CROWD_RETRY_MS = 10_000;
/** Reasons that changed are announced for this many jobs a round, the first in line: nobody reads ten thousand. */
const REASONS_ANNOUNCED_MAX = 200;
const NO_PLAN: Plan = {
  placements: [],
  reasons: new Map(),
  line: [],
  reservations: new Map(),
  wakeAtMs: null,
};

export function createSchedulerLoop(ctx: ServiceContext, world: World, lane: WriteLane): SchedulerLoop {
  const { clock, events, log } = ctx;
  let waiting: Waiting[] = [];
  let isPlanned = false;
  let isClosed = false;
  /** Jobs whose last placement the database did not take. */
  const lostGuards = new Set<string>();
  let timer: NodeJS.Timeout | null = null;
  let soon: NodeJS.Timeout | null = null;
  let endedAtMs = Number.NEGATIVE_INFINITY;

  let unlisten: () => void = () => undefined;

  const loop: SchedulerLoop = {
    async start() {
      unlisten = ctx.right.onRegained(() => {
        world.isStale = true;
        loop.wake();
      });
      await Promise.all([lane.run(() => world.load()), world.loadHistory()]);
    },
    wake() {
      if (isPlanned || isClosed || soon) return;
      const waitMs = ROUND_GAP_MS - (performance.now() - endedAtMs);
      if (waitMs <= 0) planRound();
      else soon = setTimeout(planRound, waitMs);
    },
    planNow: () => lane.run(round),
    submit(submission) {
      if (isClosed) return Promise.reject(new NexusError("unavailable"));
      const crowd = crowdRefusal(submission);
      if (crowd !== null) return Promise.reject(crowd);
      return new Promise((resolve, reject) => {
        waiting.push({ submission, resolve, reject });
        planRound();
      });
    },
    preview(draft) {
      const nowMs = clock.nowMs();
      const { placements, reasons } = plan(fleetSnapshot(world, [draft], nowMs), nowMs, ctx.policy);
      return {
        placement: placements.find((placement) => placement.job === draft.id) ?? null,
        reason: reasons.get(draft.id) ?? { code: "new" },
      };
    },
    async close() {
      isClosed = true;
      unlisten();
      if (timer) clearTimeout(timer);
      if (soon) clearTimeout(soon);
      await lane.idle();
      for (const one of waiting) one.reject(new NexusError("unavailable"));
      waiting = [];
    },
  };
  return loop;

  function planRound(): void {
    if (soon) clearTimeout(soon);
    soon = null;
    if (isPlanned || isClosed) return;
    isPlanned = true;
    setImmediate(() => void lane.run(round).finally(() => (endedAtMs = performance.now())));
  }

  /** Those of the next round count, or a burst would pass the limit by its own size. */
  function crowdRefusal({ drafts }: Submission): NexusError | null {
    const max = ctx.timing.queuedJobsMax;
    const teamId = drafts[0]?.teamId;
    if (teamId === undefined) return null;
    let queued = world.live.counts(teamId).queued ?? 0;
    for (const { submission } of waiting)
      if (submission.drafts[0]?.teamId === teamId) queued += submission.drafts.length;
    if (queued + drafts.length <= max) return null;
    return new NexusError("rate_limited", {
      detail: `${queued} jobs of your team wait already and at most ${max} may; these ${drafts.length} were not taken. Submit them when others have started, or cancel some.`,
      retryAfterMs: CROWD_RETRY_MS,
    });
  }

  async function round(): Promise<void> {
    isPlanned = false;
    if (isClosed) return;
    let batch = waiting;
    waiting = [];
    try {
      if (world.isStale) await world.load();
    } catch (error) {
      log("error", "the scheduler cannot read the database", { error: String(error) });
      const refusal = new NexusError("unavailable", { cause: error, retryAfterMs: RETRY_MS });
      for (const one of batch) one.reject(refusal);
      wakeAt(clock.nowMs() + RETRY_MS);
      return;
    }
    batch = batch.filter((one) => !refuseOrphans(one));
    const drafts = batch.flatMap(({ submission }) => submission.drafts);
    const decided = decide(drafts);
    const accepted = batch.filter((one) => !refuseUnplaced(one, decided));
    const placed = new Map(decided.placements.map((placement) => [placement.job, placement]));
    for (const { submission } of accepted) {
      for (const job of submission.jobs) {
        const placement = placed.get(job.publicId);
        job.place = placement ? placeOf(ctx, world, placement) : null;
        placed.delete(job.publicId);
      }
    }
    const refused = new Set(
      batch
        .filter((one) => !accepted.includes(one))
        .flatMap(({ submission }) => submission.drafts.map(({ id }) => id)),
    );
    const placements = [...placed.values()].filter((placement) => !refused.has(placement.job));
    const settled: (() => void)[] = [];
    const [submitted, started] = await Promise.all([insert(accepted, settled), place(placements)]);
    const starts = [...submitted, ...started];
    sendStarts(ctx, world, starts);
    const changed = keepReasons(decided);
    // Answered last, so that whoever asks next finds starts and reasons in place.
    for (const settle of settled) settle();
    announce(starts, [...drafts.filter((draft) => world.live.jobs.get(draft.id) === draft), ...changed]);
    if (refused.size > 0 || world.isStale) loop.wake();
    else if (decided.wakeAtMs !== null) wakeAt(decided.wakeAtMs);
  }

  /** A planner that fails must not stop people from submitting. */
  function decide(drafts: LiveJob[]): Plan {
    if (!ctx.right.isHeld()) return NO_PLAN;
    const nowMs = clock.nowMs();
    try {
      return plan(fleetSnapshot(world, drafts, nowMs), nowMs, ctx.policy);
    } catch (error) {
      log("error", "planning failed", { error: error instanceof Error ? error.stack : String(error) });
      return NO_PLAN;
    }
  }

  /** Its queue was found before this round, and removed since. */
  function refuseOrphans({ submission, reject }: Waiting): boolean {
    if (submission.drafts.every(({ queueId }) => world.queues.has(queueId))) return false;
    reject(new NexusError("not_found", { detail: "The queue was removed just before. Name another." }));
    return true;
  }

  /** `immediate` takes all or nothing. */
  function refuseUnplaced(one: Waiting, { placements, reasons }: Plan): boolean {
    if (!one.submission.isImmediate) return false;
    const placed = new Set(placements.map((placement) => placement.job));
    const unplaced = one.submission.drafts.find((draft) => !placed.has(draft.id));
    if (!unplaced) return false;
    one.reject(refusalOf(reasons.get(unplaced.id) ?? { code: "new" }));
    return true;
  }

  async function insert(accepted: Waiting[], settled: (() => void)[]): Promise<Start[]> {
    if (accepted.length === 0) return [];
    try {
      const submissions = accepted.map((one) => one.submission);
      const { inserted, starts } = await commitSubmissions(ctx, world, submissions);
      for (const one of accepted) settled.push(() => one.resolve(inserted));
      return starts;
    } catch (error) {
      // Perhaps a lease that we did not know of, perhaps one submission that no database takes: each for itself then.
      world.isStale = true;
      if (!isRefusedByDatabase(error)) {
        const refusal = new NexusError("unavailable", { cause: error, retryAfterMs: RETRY_MS });
        for (const one of accepted) one.reject(refusal);
        return [];
      }
      log("warn", "a batch of submissions was refused by the database", { error: String(error) });
      for (const one of accepted) await insertUnplaced(one);
      return [];
    }
  }

  async function insertUnplaced(one: Waiting): Promise<void> {
    for (const job of one.submission.jobs) job.place = null;
    try {
      const { inserted } = await commitSubmissions(ctx, world, [one.submission]);
      one.resolve(inserted);
    } catch (error) {
      one.reject(
        new NexusError("bad_request", { detail: "The database does not take this job.", cause: error }),
      );
    }
  }

  async function place(placements: Placement[]): Promise<Start[]> {
    if (placements.length === 0) return [];
    try {
      const starts = await commitPlacements(ctx, world, placements);
      if (starts.length === placements.length) {
        lostGuards.clear();
        return starts;
      }
      // A lost guard is normal where others write too: read again and plan again. Lost twice, it waits a while.
      const placed = new Set(starts.map((start) => start.job.id));
      const backoff = {
        untilMs: clock.nowMs() + REFUSED_BACKOFF_MS,
        because: "it changed while it was placed",
      };
      for (const { job: id } of placements) {
        const job = placed.has(id) ? undefined : world.live.jobs.get(id);
        if (job && lostGuards.delete(id)) job.backoff = backoff;
        else if (job) lostGuards.add(id);
        else lostGuards.delete(id);
      }
      world.isStale = true;
      return starts;
    } catch (error) {
      log("error", "placements were not written", { error: String(error), count: placements.length });
      world.isStale = true;
      return [];
    }
  }

  /** @returns the jobs whose reason reads differently now, the first in line. */
  function keepReasons(decided: Plan): LiveJob[] {
    if (decided === NO_PLAN) return [];
    const texts = new Map<WaitingReason, string>();
    const textOf = (reason: WaitingReason) => {
      const text = texts.get(reason) ?? explainReason(reason);
      texts.set(reason, text);
      return text;
    };
    const changed: LiveJob[] = [];
    const line = new Map<string, string[]>();
    world.waitsForSamples.clear();
    for (const id of decided.line) {
      const job = world.live.jobs.get(id);
      const reason = decided.reasons.get(id);
      if (!job || !reason || job.state !== "queued") continue;
      const ofTeam = line.get(job.teamId) ?? [];
      line.set(job.teamId, ofTeam);
      ofTeam.push(id);
      if (changed.length < REASONS_ANNOUNCED_MAX && textOf(job.reason) !== textOf(reason)) changed.push(job);
      job.reason = reason;
      if (reason.code === "stale" || reason.code === "foreign") world.waitsForSamples.add(job.teamId);
    }
    world.line = line;
    world.reservations = decided.reservations;
    return changed;
  }

  function announce(starts: Start[], changed: LiveJob[]): void {
    const jobs = new Set([...starts.map((start) => start.job), ...changed]);
    announceJobs(events, jobs);
    for (const targetId of new Set(starts.map((start) => start.attempt.targetId))) {
      const target = world.fleet.get(targetId);
      if (target)
        events.emit("target", { teamId: target.row.teamId, target: target.row.publicId, removed: false });
    }
  }

  function wakeAt(atMs: number): void {
    if (timer) clearTimeout(timer);
    const inMs = atMs - clock.nowMs();
    if (inMs <= 0) loop.wake();
    else timer = setTimeout(loop.wake, Math.min(inMs, 3_600_000)).unref();
  }
}

function refusalOf(reason: WaitingReason): NexusError {
  const why = explainReason(reason);
  const now = `It cannot start now: ${why}.`;
  switch (reason.code) {
    case "no_targets":
    case "no_match":
    case "queue_selector":
      return new NexusError("unsatisfiable", { detail: now });
    case "impossible":
      return new NexusError("unsatisfiable", { detail: `No machine of the fleet can run it: it ${why}.` });
    case "queue_limit":
      return reason.need > reason.limit
        ? new NexusError("unsatisfiable", { detail: `It can never start in this queue: ${why}.` })
        : new NexusError("target_busy", { detail: now });
    case "offline":
      return new NexusError("target_offline", { detail: now });
    default:
      return new NexusError("target_busy", { detail: now });
  }
}

/** Wrong data (22…) or a broken constraint (23…), as opposed to a database that is away. */
function isRefusedByDatabase(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && /^2[23]/.test(code);
}

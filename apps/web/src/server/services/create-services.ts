/** Joins the use cases: one world, one write lane, one scheduler. Owns: the timer that sweeps. */

import { NexusError } from "@nexus/shared/errors";
import { createLane } from "../core/lane.ts";
import { createAgentLog } from "./agents/agent-log.ts";
import { createAgentPort } from "./agents/agent-port.ts";
import { createReports } from "./agents/reports.ts";
import { createTargetChanges } from "./fleet/change-targets.ts";
import { createFleetKeeper } from "./fleet/fleet-keeper.ts";
import { createRecordSamples } from "./fleet/record-samples.ts";
import { createRetention } from "./fleet/retention.ts";
import { targetView } from "./fleet/target-view.ts";
import { cancelJobs } from "./jobs/cancel-jobs.ts";
import { moveJobs } from "./jobs/move-jobs.ts";
import { createJobReader } from "./jobs/read-jobs.ts";
import { requeueJobs } from "./jobs/requeue-jobs.ts";
import { previewJob, submitJobs } from "./jobs/submit-jobs.ts";
import { createJobLogs } from "./logs/job-logs.ts";
import { createQueues } from "./queues/queues.ts";
import { createSchedulerLoop } from "./scheduling/scheduler-loop.ts";
import { verifyWorld } from "./scheduling/verify-world.ts";
import { createWorld } from "./scheduling/world.ts";
import type { ServiceContext } from "./service-context.ts";
import type { Services } from "./services.ts";

export function createServices(ctx: ServiceContext): Services {
  const world = createWorld(ctx);
  const lane = createLane(() => {
    world.isStale = true;
    loop.wake();
  });
  const loop = createSchedulerLoop(ctx, world, lane);
  const { wake } = loop;
  const keeper = createFleetKeeper(ctx, world, { lane, wake });
  const samples = createRecordSamples(ctx);
  const retention = createRetention(ctx);
  const agentLog = createAgentLog(ctx, world, lane);
  const reports = createReports(ctx, world, { lane, wake });
  const agentPort = createAgentPort(ctx, { world, lane, reports, agentLog, keeper, samples, wake });
  const reader = createJobReader(ctx, world, agentLog);
  const jobLogs = createJobLogs(ctx, world, { reader, agentLog });
  const queues = createQueues(ctx, world, { lane, wake });
  const changes = createTargetChanges(ctx, world, { keeper, wake });
  const submitParts = { world, loop, queues };
  let timer: NodeJS.Timeout | null = null;
  let sweeping: Promise<void> = Promise.resolve();
  let isClosed = false;
  let verifiedAtMs = 0;

  return {
    events: ctx.events,
    agentPort,
    async start() {
      await loop.start();
      keeper.assumeAway();
      await loop.planNow();
      plan();
    },
    async close() {
      isClosed = true;
      if (timer) clearTimeout(timer);
      await sweeping;
      agentLog.stop();
      await loop.close();
    },

    submitJobs: (principal, input) => submitJobs(ctx, submitParts, { principal, input }),
    previewJob: (principal, spec) => previewJob(ctx, submitParts, { principal, spec }),
    cancelJobs: (principal, input) => cancelJobs(ctx, { world, lane, wake }, { principal, input }),
    moveJobs: (principal, input) =>
      moveJobs(ctx, { world, lane, queues, planNow: loop.planNow }, { principal, input }),
    requeueJobs: (principal, input) => requeueJobs(ctx, { ...submitParts, lane }, { principal, input }),
    getJob: reader.get,
    getJobs: reader.getMany,
    listJobs: reader.list,
    jobCounts: (teamId) => world.live.counts(teamId),
    listJobEvents: reader.events,
    listJobSamples: reader.samples,

    fleet: {
      list: (teamId) =>
        world.fleet
          .inTeam(teamId)
          .sort((a, b) => (a.row.name < b.row.name ? -1 : 1))
          .map((target) => targetView(target, world.live, ctx.clock.nowMs())),
      get(teamId, idOrName) {
        const target = world.fleet.byName(teamId, idOrName);
        if (!target) throw new NexusError("not_found", { detail: `There is no target ${idOrName}.` });
        return targetView(target, world.live, ctx.clock.nowMs());
      },
      find(teamId, idOrName) {
        const target = world.fleet.byName(teamId, idOrName);
        return target ? targetView(target, world.live, ctx.clock.nowMs()) : null;
      },
    },
    renameTarget: changes.rename,
    labelTarget: changes.label,
    cordonTarget: changes.cordon,
    removeTarget: changes.remove,
    blockGpu: changes.block,
    listTargetSamples: changes.samples,
    async refreshTarget(targetId) {
      await keeper.refresh(targetId);
    },

    listQueues: queues.list,
    putQueue: queues.put,
    removeQueue: queues.remove,

    readLog: jobLogs.read,
    followLog: jobLogs.follow,
    logTailOffset: jobLogs.tailOffset,
    openLog: jobLogs.open,
    logState: jobLogs.state,
    logTroubles: jobLogs.troubles,
    problems() {
      const full = ctx.fullDisk?.() ?? null;
      const own = full === null ? [] : [{ code: "disk_full", message: full }];
      return [...own, ...[ctx.logs.problem(), agentLog.problem()].filter((problem) => problem !== null)];
    },
  };

  function plan(): void {
    if (isClosed) return;
    timer = setTimeout(() => {
      sweeping = sweep().finally(plan);
    }, ctx.timing.sweepMs);
  }

  async function sweep(): Promise<void> {
    if (!ctx.right.isHeld()) return;
    const nowMs = ctx.clock.nowMs();
    await attempt("sweep", () => keeper.sweep());
    await attempt("store samples", () => samples.flush());
    if (nowMs - verifiedAtMs >= ctx.timing.verifyMs) {
      verifiedAtMs = nowMs;
      await attempt("compare with the database", () => verifyWorld(ctx, world, lane));
      // Reasons age: estimates, samples that went stale.
      wake();
    }
    await attempt("forget what is too old", () => retention.step());
  }

  /** The database may be away; the next round tries again. */
  async function attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      ctx.log("error", `could not ${what}`, { error: error instanceof Error ? error.stack : String(error) });
    }
  }
}

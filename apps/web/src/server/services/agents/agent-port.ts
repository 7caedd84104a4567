/**
 * What the gateway does with the messages of a node, see `AgentPort`. Owns nothing: it routes to reports, logs, the
 * fleet and the inventory. Invariants: the node speaks only for attempts leased to it; a message that came twice changes
 * nothing the second time; `disconnected` of an older session does not end a newer one.
 */
import type { AttemptExit, GpuFacts, HostFacts } from "@nexus/shared/protocol/messages";
import { isSamePlace } from "../../core/is-same-place.ts";
import { findAttempts } from "../../db/queries/find-attempts.ts";
import { putGpus } from "../../db/queries/put-gpus.ts";
import { recordLogGaps } from "../../db/queries/record-log-gaps.ts";
import { setTargetFacts } from "../../db/queries/set-target-facts.ts";
import { cleanData, cleanText } from "../clean-text.ts";
import type { FleetKeeper } from "../fleet/fleet-keeper.ts";
import type { LiveTarget } from "../fleet/live-fleet.ts";
import type { RecordSamples } from "../fleet/record-samples.ts";
import { gapText } from "../logs/log-troubles.ts";
import type { AgentPort, NodeSession } from "../ports.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";
import type { WriteLane } from "../write-lane.ts";
import type { AgentLog } from "./agent-log.ts";
import { agoMs } from "./ago.ts";
import { estrange } from "./estrange.ts";
import { syncNode } from "./node-sync.ts";
import { noteDisk } from "./note-disk.ts";
import type { Report, Reports } from "./reports.ts";
import { shortenLog } from "./shorten-log.ts";
import { isUnknownHere } from "./sync-node.ts";

export type AgentPortParts = {
  world: World;
  lane: WriteLane;
  reports: Reports;
  agentLog: AgentLog;
  keeper: FleetKeeper;
  samples: RecordSamples;
  wake: () => void;
};

const PID_MAX = 2 ** 31 - 1;

export function createAgentPort(ctx: ServiceContext, parts: AgentPortParts): AgentPort {
  const { world, lane, reports, agentLog, keeper, samples, wake } = parts;
  const { clock, events } = ctx;

  return {
    async connected(node) {
      await keeper.arrive(node);
    },
    async inventory(node, inventories) {
      const target = targetOf(node);
      const last = inventories.at(-1);
      const named = inventories.flatMap((part) => part.attempts).map(withSanePid);
      const before = target?.row.facts ?? null;
      // What is reached over SSH is known by its host key, and tells of no place.
      const isAnother =
        target?.row.kind === "agent" && last !== undefined && !isSamePlace(before, cleanData(last.facts));
      if (isAnother) {
        await lane.run(async () => {
          if (world.isStale) await world.load();
          await estrange(ctx, world, { node, named });
        });
      }
      // What died with another machine's boot did not die here: nobody can say that it is over. Of machines that cannot be
      // told apart a reboot is the likelier one, with which it is over.
      const isTold = before?.place !== undefined && last?.facts.place !== undefined;
      const here = isAnother && isTold ? named.filter((one) => !one.exit || !isUnknownHere(one)) : named;
      const answers = await syncNode(ctx, world, { node, named: here, parts });
      // Once all of that is written: whoever comes after a crash in between is compared with the machine before, as this one was.
      if (target && last) await lane.run(() => learn(target, last));
      const now = targetOf(node);
      if (now?.sessionId === node.sessionId) {
        world.fleet.setFaults(now, cleanData(last?.faults ?? []), clock.nowMs());
        world.fleet.setReady(now, true);
        changed(now);
        wake();
      }
      return answers;
    },
    async facts(node, message) {
      const target = targetOf(node);
      if (!target) return;
      await lane.run(() => learn(target, message));
      changed(target);
      wake();
    },
    async started(node, message) {
      const nowMs = clock.nowMs();
      await reports.add(
        message.attempts.map(withSanePid).flatMap(({ attempt, fence, pid, startedAgoMs }): Report[] => {
          if (pid === null) return [];
          const startedAtMs = agoMs(nowMs, startedAgoMs);
          return [{ kind: "started", report: { targetId: node.targetId, attempt, fence, pid, startedAtMs } }];
        }),
      );
    },
    async exited(node, message) {
      const nowMs = clock.nowMs();
      const known = message.attempts.filter((exit) => mine(node, exit) !== null);
      const unknown = message.attempts.filter((exit) => mine(node, exit) === null);
      const told = await Promise.all(
        known.map(async (exit): Promise<Report> => {
          const isLogWhole = await agentLog.isWhole(exit.attempt, exit.logBytes);
          const endedAtMs = agoMs(nowMs, exit.endedAgoMs);
          return { kind: "exited", report: { targetId: node.targetId, exit, endedAtMs, isLogWhole } };
        }),
      );
      await reports.add(told);
      for (const exit of known) shortenLog(mine(node, exit), exit);
      const waiting = known
        .flatMap((exit) => mine(node, exit) ?? [])
        .filter((attempt) => attempt.ended !== null);
      const closed = known.filter((exit) => mine(node, exit) === null).map((exit) => exit.attempt);
      const forget = [...closed, ...(await agentLog.close(waiting)), ...(await closedBefore(node, unknown))];
      return forget.length > 0 ? [{ type: "forget", attempts: forget }] : [];
    },
    log: (node, message, bytes) => agentLog.append(node, message, bytes),
    telemetry(node, message) {
      const target = targetOf(node);
      if (!target) return;
      const sampledAtMs = agoMs(clock.nowMs(), message.sampledAgoMs);
      target.host = message.host;
      noteDisk(target, message.host, clock.nowMs());
      for (const sample of message.gpus) {
        const gpu = target.gpus.get(sample.uuid);
        if (gpu) world.fleet.putSample(gpu, sample, sampledAtMs);
      }
      samples.note(target);
      changed(target);
      // A sample can end a wait for data or for foreign memory, and only these waits.
      if (world.waitsForSamples.has(node.teamId)) wake();
    },
    notice(node, message) {
      const target = targetOf(node);
      if (!target) return;
      const { level, code } = message;
      target.notice = { level, code, message: cleanText(message.message), atMs: clock.nowMs() };
      changed(target);
    },
    faults(node, { faults }) {
      const target = targetOf(node);
      if (!target) return;
      world.fleet.setFaults(target, cleanData(faults), clock.nowMs());
      changed(target);
      wake();
    },
    async logGap(node, message) {
      const nowMs = clock.nowMs();
      const gaps = message.attempts.map((gap) => ({ ...gap, message: gapText(node.targetName, gap.offset) }));
      const news = await recordLogGaps(ctx.sql, gaps, {
        targetId: node.targetId,
        actor: node.targetName,
        nowMs,
      });
      for (const { attempt: id, offset } of news) {
        const attempt = world.live.attempts.get(id);
        if (attempt) attempt.logGapAt = offset;
      }
      if (news.length > 0) events.emit("job", { teamId: node.teamId, jobs: news.map(({ job }) => job) });
    },
    async disconnected(node, why) {
      await keeper.leave(node, why);
    },
  };

  function targetOf(node: NodeSession): LiveTarget | undefined {
    return world.fleet.get(node.targetId);
  }

  function mine(node: NodeSession, { attempt: id }: { attempt: string }) {
    const attempt = world.live.attempts.get(id);
    return attempt?.targetId === node.targetId ? attempt : null;
  }

  function changed({ row }: LiveTarget): void {
    events.emit("target", { teamId: row.teamId, target: row.publicId, removed: false });
  }

  /** Of exits that we do not wait for: those that are over here as well. */
  async function closedBefore(node: NodeSession, exits: AttemptExit[]): Promise<string[]> {
    if (exits.length === 0) return [];
    const rows = await findAttempts(
      ctx.sql,
      exits.map((exit) => exit.attempt),
    );
    return rows.filter((row) => row.isEnded && row.targetId === node.targetId).map((row) => row.publicId);
  }

  /** Writes hardware down only when it changed: nodes tell it with every connect. In the lane, as `refresh` is. */
  async function learn(target: LiveTarget, told: { facts: HostFacts; gpus: GpuFacts[] }): Promise<void> {
    const facts = cleanData(told.facts);
    const gpus = cleanData(told.gpus);
    if (JSON.stringify(facts) !== JSON.stringify(target.row.facts)) {
      await setTargetFacts(ctx.sql, target.row.id, facts);
    }
    world.fleet.setFacts(target, facts);
    const before = new Map(
      [...target.gpus.values()].filter((gpu) => !gpu.isMissing).map((gpu) => [gpu.facts.uuid, gpu.facts]),
    );
    const isSame =
      gpus.length === before.size &&
      gpus.every((one) => JSON.stringify(sorted(one)) === JSON.stringify(sorted(before.get(one.uuid))));
    if (isSame) return;
    const rows = await putGpus(ctx.sql, target.row.id, { gpus, nowMs: clock.nowMs() });
    world.fleet.putGpus(target, rows);
  }
}

/** Postgres keeps the keys of a jsonb in an order of its own. */
function sorted(facts: GpuFacts | undefined): [string, unknown][] {
  return Object.entries(facts ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}

function withSanePid<T extends { pid: number | null }>(named: T): T {
  return named.pid !== null && named.pid > PID_MAX ? { ...named, pid: null } : named;
}

/** What admins do to targets: each act is committed with its line in the audit, then taken into the live fleet. */
import type { GpuPoint, Target } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import type { Database } from "../../db/database.ts";
import { blockGpu } from "../../db/queries/block-gpu.ts";
import { listGpuSamples } from "../../db/queries/list-gpu-samples.ts";
import { revokeTarget } from "../../db/queries/revoke-target.ts";
import { type TargetChange, updateTarget } from "../../db/queries/update-target.ts";
import { sampleStepMs } from "../jobs/sample-step.ts";
import type { Principal } from "../ports.ts";
import { recordAudit } from "../record-audit.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";
import type { ParsedInput } from "../services.ts";
import type { FleetKeeper } from "./fleet-keeper.ts";
import type { LiveTarget } from "./live-fleet.ts";
import { targetView } from "./target-view.ts";

type Act = { action: string; detail: string };

export type TargetChanges = {
  rename(principal: Principal, input: ParsedInput<"targets.rename">): Promise<Target>;
  label(principal: Principal, input: ParsedInput<"targets.label">): Promise<Target>;
  cordon(principal: Principal, input: ParsedInput<"targets.cordon">): Promise<Target>;
  block(principal: Principal, input: ParsedInput<"targets.blockGpu">): Promise<Target>;
  remove(principal: Principal, input: ParsedInput<"targets.remove">): Promise<{ ok: true }>;
  samples(principal: Principal, input: ParsedInput<"targets.samples">): Promise<{ points: GpuPoint[] }>;
};

export function createTargetChanges(
  ctx: ServiceContext,
  world: World,
  { keeper, wake }: { keeper: FleetKeeper; wake: () => void },
): TargetChanges {
  return {
    async rename(principal, { target: idOrName, name }) {
      const target = known(principal, idOrName);
      const taken = world.fleet.byName(principal.teamId, name);
      if (taken && taken !== target) throw nameTaken(name);
      const act = { action: "target.renamed", detail: `${target.row.name} is now ${name}.` };
      return await change(principal, target, { change: { name }, act });
    },
    async label(principal, { target: idOrName, labels }) {
      const target = known(principal, idOrName);
      const text = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
      const act = {
        action: "target.labelled",
        detail: `${target.row.name}: ${text.join(", ") || "no labels"}.`,
      };
      return await change(principal, target, { change: { labels }, act });
    },
    async cordon(principal, { target: idOrName, cordoned, drain }) {
      const target = known(principal, idOrName);
      const draining = cordoned && drain;
      const action = cordoned ? "target.cordoned" : "target.uncordoned";
      const detail = `${target.row.name} ${cordoned ? "takes no new jobs" : "takes jobs again"}${draining ? " and drains" : ""}.`;
      return await change(principal, target, { change: { cordoned, draining }, act: { action, detail } });
    },
    async block(principal, { target: idOrName, uuid, blocked }) {
      const target = known(principal, idOrName);
      const gpu = target.gpus.get(uuid);
      if (!gpu) throw new NexusError("not_found", { detail: `${target.row.name} has no GPU ${uuid}.` });
      const action = blocked ? "gpu.blocked" : "gpu.unblocked";
      const detail = `GPU ${gpu.facts.index} (${uuid}) of ${target.row.name} ${blocked ? "takes no new jobs" : "takes jobs again"}.`;
      await audited(principal, target, {
        act: { action, detail },
        write: (tx) => blockGpu(tx, gpu.id, blocked),
      });
      await keeper.refresh(target.row.id);
      return shown(target);
    },
    async remove(principal, { target: idOrName, force }) {
      const target = known(principal, idOrName);
      const running = world.live
        .attemptsOn(target.row.id)
        .filter((attempt) => !attempt.ended && !world.live.isGivenUp(attempt)).length;
      if (running > 0 && !force) {
        throw new NexusError("invalid_state", {
          detail: `${target.row.name} runs ${running} job${running === 1 ? "" : "s"}. Drain it first, or force it: the jobs are then lost.`,
        });
      }
      const lost = running > 0 ? ` ${running} running job${running === 1 ? " was" : "s were"} given up.` : "";
      const act = { action: "target.removed", detail: `${target.row.name} was removed.${lost}` };
      const at = new Date(ctx.clock.nowMs());
      await audited(principal, target, { act, write: (tx) => revokeTarget(tx, target.row.id, at) });
      ctx.hub.disconnect(target.row.id, "revoked");
      await keeper.refresh(target.row.id);
      return { ok: true };
    },
    async samples(principal, { target: idOrName, sinceMs, untilMs = ctx.clock.nowMs() }) {
      const target = known(principal, idOrName);
      const range = { targetId: target.row.id, uuids: null, sinceMs, untilMs };
      return { points: await listGpuSamples(ctx.sql, { ...range, stepMs: sampleStepMs(untilMs - sinceMs) }) };
    },
  };

  function known({ teamId }: Principal, idOrName: string): LiveTarget {
    const target = world.fleet.byName(teamId, idOrName);
    if (!target) throw new NexusError("not_found", { detail: `There is no target ${idOrName}.` });
    return target;
  }

  async function change(
    principal: Principal,
    target: LiveTarget,
    { change, act }: { change: TargetChange; act: Act },
  ): Promise<Target> {
    try {
      await audited(principal, target, { act, write: (tx) => updateTarget(tx, target.row.id, change) });
    } catch (error) {
      if (isNameClash(error)) throw nameTaken(change.name ?? "");
      throw error;
    }
    await keeper.refresh(target.row.id);
    return shown(target);
  }

  /** The act and its line in the audit: neither without the other. */
  async function audited(
    principal: Principal,
    { row }: LiveTarget,
    { act, write }: { act: Act; write: (tx: Database) => Promise<unknown> },
  ): Promise<void> {
    await ctx.db.transaction(async (tx) => {
      if ((await write(tx)) === false) {
        throw new NexusError("not_found", { detail: `${row.name} left the fleet meanwhile.` });
      }
      await recordAudit(tx, principal, { ...act, subject: row.publicId, atMs: ctx.clock.nowMs() });
    });
  }

  function shown(target: LiveTarget): Target {
    ctx.events.emit("target", { teamId: target.row.teamId, target: target.row.publicId, removed: false });
    wake();
    return targetView(target, world.live, ctx.clock.nowMs());
  }
}

function nameTaken(name: string): NexusError {
  return new NexusError("conflict", { detail: `Another target is named ${name}.` });
}

function isNameClash(error: unknown): boolean {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const { code, constraint_name: constraint } = cause as { code?: unknown; constraint_name?: unknown };
  return code === "23505" && constraint === "target_team_name";
}

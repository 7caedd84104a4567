/** Statements on targets, keys of nodes and GPUs, as their namesakes in apps/web/src/server/db/queries. */
import type { GpuFacts, HostFacts } from "@nexus/shared/protocol/messages";
import type { GpuRow } from "../../../apps/web/src/server/db/queries/list-gpus.ts";
import type { TargetStateChange } from "../../../apps/web/src/server/db/queries/set-target-states.ts";
import type { ControlPlaneRow, GpuTableRow, Tables } from "./tables.ts";

export function setTargetStates(tables: Tables, changes: TargetStateChange[], nowMs: number): void {
  for (const { targetId, state } of changes) {
    const target = tables.targets.get(targetId);
    if (target === undefined || target.revokedAtMs !== null || target.state === state) continue;
    target.state = state;
    target.stateSinceMs = nowMs;
  }
}

export function setTargetFacts(tables: Tables, targetId: number, facts: HostFacts): void {
  const target = tables.targets.get(targetId);
  if (target !== undefined) target.facts = facts;
}

export function putGpus(
  tables: Tables,
  targetId: number,
  { gpus, nowMs }: { gpus: GpuFacts[]; nowMs: number },
): GpuRow[] {
  const ofTarget = [...tables.gpus.values()].filter((gpu) => gpu.targetId === targetId);
  const present = new Set<GpuTableRow>();
  for (const facts of gpus) {
    // The sequence moves on also where the row is there already.
    const id = tables.sequences.gpu++;
    const known = ofTarget.find(({ uuid }) => uuid === facts.uuid);
    if (known !== undefined) {
      Object.assign(known, { facts, missingSinceMs: null });
      present.add(known);
    } else {
      const row = { id, targetId, uuid: facts.uuid, facts, blocked: false, missingSinceMs: null };
      tables.gpus.set(id, row);
      ofTarget.push(row);
      present.add(row);
    }
  }
  for (const gpu of ofTarget) if (!present.has(gpu)) gpu.missingSinceMs ??= nowMs;
  return ofTarget.map(gpuRow);
}

export function gpuRow({ id, targetId, facts, blocked, missingSinceMs }: GpuTableRow): GpuRow {
  return { id, targetId, facts, blocked, isMissing: missingSinceMs !== null };
}

export function findNodeKey(tables: Tables, nodeId: string) {
  const target = [...tables.targets.values()].find(({ publicId }) => publicId === nodeId);
  if (target === undefined) return null;
  const { id, publicId, name, teamId, revokedAtMs, publicKey, generation, generationOffered } = target;
  return {
    targetId: id,
    targetPublicId: publicId,
    targetName: name,
    teamId,
    // The tables hold targets with an agent alone.
    kind: "agent" as const,
    revokedAt: revokedAtMs === null ? null : new Date(revokedAtMs),
    publicKey,
    generation,
    generationOffered,
  };
}

type Generations = { confirmed: number; offered: number };

export function offerGeneration(
  tables: Tables,
  targetId: number,
  { seen, next }: { seen: Generations; next: Generations },
): boolean {
  const target = tables.targets.get(targetId);
  if (target?.generation !== seen.confirmed || target.generationOffered !== seen.offered) return false;
  target.generation = next.confirmed;
  target.generationOffered = next.offered;
  return true;
}

export function confirmGeneration(tables: Tables, targetId: number, generation: number): boolean {
  const target = tables.targets.get(targetId);
  if (target?.generationOffered !== generation || target.generation >= generation) return false;
  target.generation = generation;
  return true;
}

export function listRevokedTargets(tables: Tables, ids: number[]): number[] {
  return ids.filter((id) => (tables.targets.get(id)?.revokedAtMs ?? null) !== null);
}

export function beginEpoch(tables: Tables, self: Omit<ControlPlaneRow, "epoch">): number {
  tables.controlPlane = { ...self, epoch: (tables.controlPlane?.epoch ?? 0) + 1 };
  return tables.controlPlane.epoch;
}

export function findControlPlane(tables: Tables) {
  return tables.controlPlane === null ? null : { ...tables.controlPlane, sinceMs: 0 };
}

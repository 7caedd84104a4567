/** The fleet as the browser knows it: a fold over the messages of `fleet.watch`. Pure. */
import type { OutputOf } from "@nexus/shared/api/contract";
import type { Target } from "@nexus/shared/api/schemas";

export type FleetState = {
  /** By name. */
  readonly targets: readonly Target[];
  readonly queued: number;
  readonly running: number;
  /** Utilisation of each GPU over its last samples, oldest first, by UUID. */
  readonly history: ReadonlyMap<string, readonly (number | null)[]>;
};

/** Made once: `localeCompare` makes one for every pair. */
const byName = new Intl.Collator(undefined, { numeric: true });

export const HISTORY_SAMPLES = 48;

export function applyFleet(before: FleetState | null, message: OutputOf<"fleet.watch">): FleetState {
  const kept = message.snapshot || !before ? [] : before.targets;
  const changed = new Map(message.targets.map((target) => [target.id, target]));
  const removed = new Set(message.removed);
  const targets = [
    ...kept.filter((target) => !changed.has(target.id) && !removed.has(target.id)),
    ...message.targets,
  ].sort((a, b) => byName.compare(a.name, b.name));
  return {
    targets,
    queued: message.queued,
    running: message.running,
    history: extendHistory(before, message.targets, targets),
  };
}

function extendHistory(
  before: FleetState | null,
  changed: readonly Target[],
  present: readonly Target[],
): FleetState["history"] {
  const sampledBefore = new Map(
    (before?.targets ?? []).flatMap((target) =>
      target.gpus.map((gpu) => [gpu.uuid, gpu.sampledAtMs] as const),
    ),
  );
  const history = new Map(before?.history);
  for (const gpu of changed.flatMap((target) => target.gpus)) {
    if (gpu.sampledAtMs === null || sampledBefore.get(gpu.uuid) === gpu.sampledAtMs) continue;
    const samples = [...(history.get(gpu.uuid) ?? []), gpu.sample?.utilizationPct ?? null];
    history.set(gpu.uuid, samples.slice(-HISTORY_SAMPLES));
  }
  const alive = new Set(present.flatMap((target) => target.gpus.map((gpu) => gpu.uuid)));
  for (const uuid of history.keys()) if (!alive.has(uuid)) history.delete(uuid);
  return history;
}

export type FleetTotals = {
  targets: number;
  connected: number;
  gpus: number;
  gpusBusy: number;
  memoryUsedMib: number;
  memoryTotalMib: number;
  /** Mean over the GPUs that report it. */
  utilizationPct: number | null;
};

/** Sums over what can run jobs now: GPUs of connected targets. */
export function fleetTotals(targets: readonly Target[]): FleetTotals {
  const connected = targets.filter((target) => target.state === "connected");
  const gpus = connected.flatMap((target) => target.gpus).filter((gpu) => gpu.schedulable);
  const utilization = gpus.flatMap((gpu) => gpu.sample?.utilizationPct ?? []);
  return {
    targets: targets.length,
    connected: connected.length,
    gpus: gpus.length,
    gpusBusy: gpus.filter((gpu) => gpu.holders.length > 0 || (gpu.sample?.processes.length ?? 0) > 0).length,
    memoryUsedMib: sum(gpus.map((gpu) => gpu.sample?.memoryUsedMib ?? 0)),
    memoryTotalMib: sum(gpus.map((gpu) => gpu.memoryTotalMib ?? 0)),
    utilizationPct: utilization.length === 0 ? null : sum(utilization) / utilization.length,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

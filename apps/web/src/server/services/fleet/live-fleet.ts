/**
 * The targets of the fleet in memory: their rows, their GPUs, the latest samples and notices, and which of them has a
 * session here. Owns: all of that. Invariants: a target is in here while it is not revoked; `view` always says the same
 * as the rest, since planning reads only it; a GPU keeps its id for as long as its row exists. It refuses state changes
 * that the target machine does not know.
 */

import type { Target } from "@nexus/shared/api/schemas";
import { assert } from "@nexus/shared/assert";
import { nextTargetState, type TargetEvent, type TargetState } from "@nexus/shared/machines/target";
import type { GpuFacts, GpuSample, HostFacts, HostSample } from "@nexus/shared/protocol/messages";
import type { GpuView, TargetView } from "../../core/scheduler/snapshot.ts";
import type { TargetRow } from "../../db/queries/list-fleet.ts";
import type { GpuRow } from "../../db/queries/list-gpus.ts";
import { gpuUseOf } from "./gpu-use.ts";

export type LiveGpu = {
  id: number;
  facts: GpuFacts;
  blocked: boolean;
  isMissing: boolean;
  sample: GpuSample | null;
  sampledAtMs: number | null;
  /** When a sample of it was stored last. */
  storedAtMs: number;
  view: Mutable<GpuView>;
};

export type LiveTarget = {
  row: TargetRow;
  gpus: Map<string, LiveGpu>;
  host: HostSample | null;
  notice: Target["notice"];
  /** The session that brought it here; null while it is away. */
  sessionId: string | null;
  /** Its inventory was worked through: starts may be sent. */
  isReady: boolean;
  awaySinceMs: number;
  view: Mutable<TargetView>;
};

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export type LiveFleet = {
  targets(): IterableIterator<LiveTarget>;
  get(targetId: number): LiveTarget | undefined;
  inTeam(teamId: string): LiveTarget[];
  byName(teamId: string, idOrName: string): LiveTarget | undefined;
  put(row: TargetRow, gpus: GpuRow[]): LiveTarget;
  putGpus(target: LiveTarget, gpus: GpuRow[]): void;
  remove(targetId: number): LiveTarget | undefined;
  /** @returns the new state, or null when the event changes nothing that is worth writing. */
  move(target: LiveTarget, event: TargetEvent, nowMs: number): TargetState | null;
  setReady(target: LiveTarget, isReady: boolean): void;
  setFacts(target: LiveTarget, facts: HostFacts): void;
  putSample(gpu: LiveGpu, sample: GpuSample, sampledAtMs: number): void;
};

export function createLiveFleet(): LiveFleet {
  const targets = new Map<number, LiveTarget>();

  const fleet: LiveFleet = {
    targets: () => targets.values(),
    get: (targetId) => targets.get(targetId),
    inTeam: (teamId) => [...targets.values()].filter((target) => target.row.teamId === teamId),
    byName(teamId, idOrName) {
      const team = fleet.inTeam(teamId);
      return (
        team.find(({ row }) => row.publicId === idOrName) ?? team.find(({ row }) => row.name === idOrName)
      );
    },
    put(row, gpus) {
      const known = targets.get(row.id);
      const target: LiveTarget = known ?? {
        row,
        gpus: new Map(),
        host: null,
        notice: null,
        sessionId: null,
        isReady: false,
        awaySinceMs: row.stateSinceMs,
        view: viewOf(row),
      };
      // Who is here and who is away is decided in memory and written from there; only a handshake that never became a
      // session writes a state of its own.
      const kept =
        known && row.state !== "needs_update"
          ? {
              state: known.row.state,
              stateSinceMs: known.row.stateSinceMs,
              lastSeenAtMs: known.row.lastSeenAtMs,
            }
          : {};
      target.row = { ...row, ...kept };
      Object.assign(target.view, viewOf(target.row), { connected: target.isReady, gpus: target.view.gpus });
      targets.set(row.id, target);
      fleet.putGpus(target, gpus);
      return target;
    },
    putGpus(target, rows) {
      const before = target.gpus;
      target.gpus = new Map(
        rows
          .toSorted((a, b) => a.facts.index - b.facts.index || a.id - b.id)
          .map((row) => [row.facts.uuid, gpuFrom(row, before.get(row.facts.uuid))]),
      );
      target.view.gpus = [...target.gpus.values()].map((gpu) => gpu.view);
    },
    remove(targetId) {
      const target = targets.get(targetId);
      targets.delete(targetId);
      return target;
    },
    move(target, event, nowMs) {
      const { row } = target;
      const state = nextTargetState(row.state, event);
      assert(state !== null, `target ${row.publicId} is ${row.state} and knows no ${event}`);
      if (state === row.state) return null;
      row.state = state;
      row.stateSinceMs = nowMs;
      return state;
    },
    setReady(target, isReady) {
      target.isReady = isReady;
      target.view.connected = isReady;
    },
    setFacts(target, facts) {
      target.row.facts = facts;
      target.view.cpuCount = facts.cpuCount;
    },
    putSample(gpu, sample, sampledAtMs) {
      gpu.sample = sample;
      gpu.sampledAtMs = sampledAtMs;
      gpu.view.use = gpuUseOf(sample, { sampledAtMs, isSettled: sampledAtMs >= gpu.view.freedAtMs });
    },
  };
  return fleet;
}

function viewOf(row: TargetRow): Mutable<TargetView> {
  return {
    id: row.id,
    name: row.name,
    connected: false,
    cordoned: row.cordoned || row.draining,
    labels: row.labels,
    cpuCount: row.facts?.cpuCount ?? 1,
    gpus: [],
  };
}

function gpuFrom(row: GpuRow, before: LiveGpu | undefined): LiveGpu {
  const { facts, blocked, isMissing } = row;
  const { uuid, index, name, memoryTotalMib, simulated, schedulable } = facts;
  const view = {
    ...{ id: row.id, uuid, index, name, memoryTotalMib, simulated, schedulable, blocked },
    missing: isMissing,
    freedAtMs: before?.view.freedAtMs ?? 0,
    use: before?.view.use ?? null,
  };
  return {
    ...{ id: row.id, facts, blocked, isMissing, view },
    sample: before?.sample ?? null,
    sampledAtMs: before?.sampledAtMs ?? null,
    storedAtMs: before?.storedAtMs ?? 0,
  };
}

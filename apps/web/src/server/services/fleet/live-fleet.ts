/**
 * The targets of the fleet in memory: their rows, their GPUs, the latest samples and notices, and which of them has a
 * session here. Owns: all of that. Invariants: a target is in here while it is not revoked; `view` always says the same
 * as the rest, since planning reads only it; a GPU keeps its id for as long as its row exists. It refuses state changes
 * that the target machine does not know.
 */

import type { Target } from "@nexus/shared/api/schemas";
import { assert } from "@nexus/shared/assert";
import { nextTargetState, type TargetEvent, type TargetState } from "@nexus/shared/machines/target";
import type { GpuFacts, GpuSample, HostFacts, HostSample, NodeFault } from "@nexus/shared/protocol/messages";
import type { GpuView, TargetHold, TargetView } from "../../core/scheduler/snapshot.ts";
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
  /** What its node said last of what keeps it from starting jobs. */
  faults: readonly NodeFault[];
  /** Its last refusal of a start by such a fault, and how many pauses followed each other. */
  declined: { fault: NodeFault; atMs: number; untilMs: number; pauses: number } | null;
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
  setFaults(target: LiveTarget, faults: readonly NodeFault[], nowMs: number): void;
  /** It refused a start by a fault of its own. */
  decline(target: LiveTarget, fault: NodeFault, nowMs: number): void;
  /** Ends pauses that time ended. @returns whose. */
  endPauses(nowMs: number): LiveTarget[];
  putSample(gpu: LiveGpu, sample: GpuSample, sampledAtMs: number): void;
};

/**
 * How long a node that refused a start gets no other, doubled with each time it does so again: one that is well only between
 * two refusals costs a job a start a minute, not a loop.
 */
const PAUSE_MS_MIN = 1_000;
const PAUSE_MS_MAX = 60_000;
const DECLINES_FORGOTTEN_MS = 300_000;

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
        faults: [],
        declined: null,
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
      Object.assign(target.view, viewOf(target.row), {
        connected: target.isReady,
        gpus: target.view.gpus,
        hold: target.view.hold,
      });
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
    setFaults(target, faults, nowMs) {
      const sinceMs = faults.length > 0 ? (target.view.hold?.sinceMs ?? nowMs) : nowMs;
      target.faults = faults;
      target.view.hold = holdOf(target, sinceMs);
    },
    decline(target, fault, nowMs) {
      const before = target.declined;
      // What was on its way when it began to refuse says nothing new.
      if (before === null || before.untilMs <= nowMs) {
        const isFirst = before === null || nowMs - before.untilMs > DECLINES_FORGOTTEN_MS;
        const pauses = isFirst ? 1 : before.pauses + 1;
        const untilMs = nowMs + Math.min(PAUSE_MS_MIN * 2 ** (pauses - 1), PAUSE_MS_MAX);
        target.declined = { fault, atMs: nowMs, untilMs, pauses };
      }
      target.view.hold = holdOf(target, target.view.hold?.sinceMs ?? nowMs);
    },
    endPauses(nowMs) {
      const over = [...targets.values()].filter(
        ({ view: { hold } }) => hold !== null && hold.untilMs !== null && hold.untilMs <= nowMs,
      );
      for (const target of over) target.view.hold = null;
      return over;
    },
    putSample(gpu, sample, sampledAtMs) {
      gpu.sample = sample;
      gpu.sampledAtMs = sampledAtMs;
      gpu.view.use = gpuUseOf(sample, { sampledAtMs, isSettled: sampledAtMs >= gpu.view.freedAtMs });
    },
  };
  return fleet;
}

/** The node's word counts while it stands; after that, what is left of the pause. */
function holdOf({ faults, declined }: LiveTarget, sinceMs: number): TargetHold | null {
  const [told] = faults;
  if (told) return { ...told, sinceMs, untilMs: null };
  return declined === null ? null : { ...declined.fault, sinceMs, untilMs: declined.untilMs };
}

function viewOf(row: TargetRow): Mutable<TargetView> {
  return {
    id: row.id,
    name: row.name,
    connected: false,
    cordoned: row.cordoned || row.draining,
    hold: null,
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

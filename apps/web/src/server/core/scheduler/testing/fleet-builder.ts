/** Snapshots in few words, for the planner's tests and its bench. */
import {
  type ActiveJob,
  type FleetSnapshot,
  type GpuUse,
  type GpuView,
  type QueuedJob,
  type QueueView,
  type Shape,
  shapeOf,
  type TargetView,
  type TeamSnapshot,
} from "../snapshot.ts";

export const NOW_MS = 1_800_000_000_000;
export const GIB = 1024;

export function gpu(id: number, over: Partial<GpuView> = {}): GpuView {
  return {
    id,
    uuid: `GPU-${id}`,
    index: id % 100,
    name: "NVIDIA H100 80GB HBM3",
    memoryTotalMib: 80 * GIB,
    simulated: false,
    schedulable: true,
    blocked: false,
    missing: false,
    freedAtMs: 0,
    use: use(),
    ...over,
  };
}

export function use(over: Partial<GpuUse> = {}): GpuUse {
  return { sampledAtMs: NOW_MS - 1000, foreignMib: 0, foreignUsers: [], attemptMib: new Map(), ...over };
}

export function target(id: number, gpus: GpuView[] | number, over: Partial<TargetView> = {}): TargetView {
  const list = typeof gpus === "number" ? Array.from({ length: gpus }, (_, i) => gpu(id * 100 + i)) : gpus;
  return {
    id,
    name: `node${id}`,
    connected: true,
    cordoned: false,
    hold: null,
    labels: {},
    cpuCount: 8,
    gpus: list,
    ...over,
  };
}

export function queue(over: Partial<QueueView> = {}): QueueView {
  const limits = { runningMax: null, gpusMax: null, userRunningMax: null, userGpusMax: null };
  const selector = { labels: {}, targets: [] };
  return { id: 1, name: "default", priority: 0, paused: false, ...limits, selector, ...over };
}

function shape(over: Partial<Omit<Shape, "key">> = {}): Shape {
  return shapeOf({ gpus: 1, gpuMemoryMib: null, gpuModel: null, wanted: null, labels: {}, ...over });
}

/** Jobs made later are younger, unless a test says otherwise. */
let madeJobs = 0;

type JobOver = Partial<Omit<QueuedJob, "shape">> & Partial<Omit<Shape, "key">>;

export function job(id: string, over: JobOver = {}): QueuedJob {
  const { gpus, gpuMemoryMib, gpuModel, wanted, labels, ...rest } = over;
  const given = { gpus, gpuMemoryMib, gpuModel, wanted, labels };
  const shapeOver = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const userId = rest.userId ?? "u_alice";
  return {
    id,
    userId,
    userName: userId.slice(2),
    queueId: 1,
    priority: 0,
    createdAtMs: NOW_MS - 3_600_000 + madeJobs++,
    timeoutMs: null,
    graceMs: 0,
    backoff: null,
    ...rest,
    shape: shape(shapeOver),
  };
}

export function active(id: string, gpus: ActiveJob["gpus"], over: Partial<ActiveJob> = {}): ActiveJob {
  return {
    id,
    attempt: `a_${id}`,
    userId: "u_bob",
    userName: "bob",
    queueId: 1,
    targetId: Math.floor((gpus[0]?.gpuId ?? 100) / 100),
    gpus,
    reachable: true,
    sinceMs: NOW_MS - 60_000,
    timeoutMs: null,
    graceMs: 0,
    pastRunsMs: [],
    ...over,
  };
}

export function whole(...gpuIds: number[]): ActiveJob["gpus"] {
  return gpuIds.map((gpuId) => ({ gpuId, memoryMib: null }));
}

export function team(over: Partial<TeamSnapshot>): TeamSnapshot {
  return {
    teamId: "tm_1",
    targets: [],
    queues: [queue()],
    queued: [],
    active: [],
    givenUp: [],
    usage: [],
    reservations: [],
    ...over,
  };
}

export function fleet(over: Partial<TeamSnapshot>): FleetSnapshot {
  return { teams: [team(over)] };
}

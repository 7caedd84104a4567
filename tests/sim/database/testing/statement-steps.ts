/** Random statements about rows that are there, as the product makes them and as it should not. */
import type { JobState } from "@nexus/shared/machines/job";
import fc from "fast-check";

/** What there is to name. */
export type Names = {
  jobs: { publicId: string; version: number; state: JobState; attempt: string | null }[];
  attempts: { publicId: string; fence: number; job: string }[];
  targets: string[];
  gpus: string[];
};

/** Numbers of rows: each side has its own. */
export type Ids = { of(publicId: string): number; queueId: number };

const KINDS = [
  ...["insert", "insert", "place", "place", "place", "start", "end", "end", "move", "cancel", "close"],
  ...["gap", "put", "target", "requeue", "takeUp", "estrange", "offer", "confirm", "read", "read", "epoch"],
] as const;

export type Step = {
  kind: (typeof KINDS)[number];
  /** By a control plane whose time may be over. */
  isOld: boolean;
  /** Decides everything else. */
  draws: number[];
};

export const stepArbitrary: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...KINDS),
  isOld: fc.nat(7).map((draw) => draw === 7),
  draws: fc.array(fc.nat(1_000_000), { minLength: 24, maxLength: 24 }),
});

let made = 0;

/** @returns the statement, once the numbers of its rows are known. */
export function chooseStep(
  { kind, draws }: Step,
  names: Names,
  nowMs: number,
): (ids: Ids) => [string, ...unknown[]] {
  let drawn = 0;
  const draw = (below: number) => (draws[drawn++ % draws.length] ?? 0) % below;
  const pick = <T>(items: readonly T[]): T | undefined =>
    items.length === 0 ? undefined : items[draw(items.length)];
  const some = <T>(items: readonly T[], most: number): T[] =>
    [...new Set(Array.from({ length: 1 + draw(most) }, () => pick(items)))].filter(
      (item) => item !== undefined,
    );
  const placed = () => {
    made += 1;
    const memoryMib = [null, 30_000, 50_000][draw(3)] ?? null;
    const gpus = draw(3) === 0 ? [] : some(names.gpus, 2);
    return { attempt: `a_${made}`, target: pick(names.targets) ?? "", gpus, memoryMib };
  };
  const placeOf = ({ attempt, target, gpus, memoryMib }: ReturnType<typeof placed>, ids: Ids) => ({
    attempt,
    targetId: ids.of(target),
    targetName: target,
    gpus: gpus.map((uuid) => ({ gpuId: ids.of(uuid), uuid, memoryMib })),
  });

  switch (kind) {
    case "insert": {
      const jobs = Array.from({ length: 1 + draw(3) }, () => {
        made += 1;
        return {
          publicId: `j_${made}`,
          submitKey: [null, "k1", "k2", "k3"][draw(4)] ?? null,
          place: draw(2) === 0 ? null : placed(),
        };
      });
      return (ids) => [
        "insertJobs",
        jobs.map(({ place, ...job }) => newJob({ ...job, place: place && placeOf(place, ids) }, ids)),
        nowMs,
      ];
    }
    case "place": {
      const places = some(names.jobs, 3).map((job) => ({ job, place: placed(), isStale: draw(5) === 0 }));
      return (ids) => [
        "placeJobs",
        places.map(({ job, place, isStale }) => ({
          ...placeOf(place, ids),
          jobId: ids.of(job.publicId),
          version: job.version - (isStale ? 1 : 0),
        })),
        nowMs,
      ];
    }
    case "start": {
      const started = some(names.attempts, 2);
      const startedAtMs = nowMs - draw(900);
      return (ids) => [
        "recordStarted",
        started.map(({ publicId }) => ({
          attemptId: ids.of(publicId),
          pid: 7,
          startedAtMs,
          targetName: "n1",
        })),
      ];
    }
    case "end": {
      const states = ["queued", "succeeded", "failed", "cancelled", "timed_out", "lost"] as const;
      const ended = some(names.attempts, 2).map(({ publicId }) => {
        const state = pick(states) ?? "lost";
        const hasStarted = draw(2) === 0;
        const note = draw(3) === 0 ? { atMs: nowMs - 10, text: "it ended there" } : null;
        return {
          attempt: publicId,
          job: "j",
          state,
          event: state === "queued" ? "unplace" : "fail",
          endReason: "exited",
          actor: "n1",
          message: draw(2) === 0 ? null : "why",
          exitCode: draw(2) === 0 ? null : draw(256),
          signal: null,
          logBytes: draw(3) === 0 ? null : draw(10_000),
          startedAtMs: hasStarted ? nowMs - 500 : null,
          endedAtMs: nowMs,
          pid: hasStarted && draw(2) === 0 ? 8 : null,
          isClosed: draw(2) === 0,
          note,
        };
      });
      return (ids) => ["endAttempts", ended.map((end) => ({ ...end, attemptId: ids.of(end.attempt) }))];
    }
    case "move": {
      const moves = some(names.jobs, 2).map((job) => ({
        job,
        version: job.version - (draw(5) === 0 ? 1 : 0),
        state: pick(["unreachable", "running", "starting"] as const) ?? "running",
        event: draw(3) === 0 ? null : "silence",
        actor: "control plane",
        message: "m",
      }));
      return (ids) => [
        "moveJobs",
        moves.map(({ job, ...move }) => ({ ...move, jobId: ids.of(job.publicId) })),
        nowMs,
      ];
    }
    case "requeue": {
      const requeues = some(names.jobs, 2).map((job) => ({
        job,
        attempt: job.attempt ?? pick(names.attempts)?.publicId ?? "",
        version: job.version - (draw(5) === 0 ? 1 : 0),
        actor: "ada",
        message: "gave it up",
        isByRule: draw(2) === 0,
      }));
      return (ids) => [
        "requeueJobs",
        requeues.map(({ job, attempt, ...rest }) => {
          return { ...rest, jobId: ids.of(job.publicId), attemptId: ids.of(attempt) };
        }),
        nowMs,
      ];
    }
    case "estrange": {
      const attempts = some(names.attempts, 2);
      return (ids) => [
        "estrangeAttempts",
        {
          attemptIds: attempts.map(({ publicId }) => ids.of(publicId)),
          ...{ actor: "control plane", message: "another came", nowMs },
        },
      ];
    }
    case "takeUp": {
      const taken = some(names.jobs, 2).map((job) => ({
        job,
        attempt:
          names.attempts.findLast((one) => one.job === job.publicId && draw(5) > 0)?.publicId ??
          pick(names.attempts)?.publicId ??
          "",
        version: job.version - (draw(5) === 0 ? 1 : 0),
        gpuUuids: some(names.gpus, 1),
        actor: "n1",
        message: "is back",
      }));
      return (ids) => [
        "takeUpAttempts",
        taken.map(({ job, attempt, ...rest }) => {
          return { ...rest, jobId: ids.of(job.publicId), attemptId: ids.of(attempt) };
        }),
        nowMs,
      ];
    }
    case "cancel": {
      const jobs = some(names.jobs, 3);
      const options = { actor: "ada", graceMs: draw(2) === 0 ? null : draw(5_000), nowMs };
      return (ids) => ["cancelJobs", jobs.map(({ publicId }) => ids.of(publicId)), options];
    }
    case "close": {
      const closed = some(names.attempts, 3);
      return (ids) => ["closeAttempts", closed.map(({ publicId }) => ids.of(publicId)), nowMs];
    }
    case "gap": {
      const gaps = some(names.attempts, 2).map(({ publicId, fence }) => ({
        attempt: publicId,
        fence: fence + (draw(5) === 0 ? 1 : 0),
        offset: draw(1_000),
        message: "gap",
      }));
      const target = pick(names.targets) ?? "";
      return (ids) => ["recordLogGaps", gaps, { targetId: ids.of(target), actor: "n1", nowMs }];
    }
    case "put": {
      // The first node's two; the third is the other node's.
      const uuids = some(names.gpus.slice(0, 2), 2);
      const gpus = uuids.map((uuid) => gpuFacts(uuid, 40_000 + draw(2) * 40_000));
      return (ids) => ["putGpus", ids.of(names.targets[0] ?? ""), { gpus, nowMs }];
    }
    case "target": {
      const changes = some(names.targets, 2).map((target) => ({
        target,
        state: pick(["connected", "unreachable", "offline"] as const),
      }));
      return (ids) => [
        "setTargetStates",
        changes.map(({ target, state }) => ({ targetId: ids.of(target), state })),
        nowMs,
      ];
    }
    case "offer": {
      const target = pick(names.targets) ?? "";
      const seen = { confirmed: draw(3), offered: draw(3) };
      const next = { confirmed: draw(3), offered: draw(3) };
      return (ids) => ["offerGeneration", ids.of(target), { seen, next, bootId: "b" }];
    }
    case "confirm": {
      const target = pick(names.targets) ?? "";
      const generation = draw(3);
      return (ids) => ["confirmGeneration", ids.of(target), generation];
    }
    default:
      return chooseRead({ names, draw, pick, some, nowMs });
  }
}

type Chooser = {
  names: Names;
  draw(below: number): number;
  pick<T>(items: readonly T[]): T | undefined;
  some<T>(items: readonly T[], most: number): T[];
  nowMs: number;
};

function chooseRead({ names, draw, some, nowMs }: Chooser): (ids: Ids) => [string, ...unknown[]] {
  const attempts = [...some(names.attempts, 4).map(({ publicId }) => publicId), "a_unknown"];
  const jobs = [...some(names.jobs, 4).map(({ publicId }) => publicId), "j_unknown"];
  const jobsMax = 1 + draw(20);
  const node = names.targets[draw(2)];
  const reads: ((ids: Ids) => [string, ...unknown[]])[] = [
    () => ["listLiveJobs"],
    () => ["listOpenAttempts"],
    () => ["liveChecksum"],
    () => ["findAttempts", attempts],
    () => ["findJobs", "tm", jobs],
    () => ["findJobsBySubmitKey", "tm", ["k1", "k2"]],
    (ids) => ["listStartSpecs", attempts.map((id) => ids.of(id))],
    () => ["listUsage", { nowMs, halfLifeMs: 60_000 }],
    () => ["listRunTimes", jobsMax],
    () => ["findNodeKey", node],
  ];
  return reads[draw(reads.length)] ?? (() => ["listLiveJobs"]);
}

function newJob(
  given: {
    publicId: string;
    submitKey: string | null;
    place: { gpus: { memoryMib: number | null }[] } | null;
  },
  { queueId }: Ids,
) {
  return {
    teamId: "tm",
    queueId,
    userId: "u",
    userName: "ada",
    name: null,
    command: ["work", given.publicId],
    env: {},
    cwd: null,
    gpus: given.place?.gpus.length ?? 0,
    gpuMemoryMib: given.place?.gpus[0]?.memoryMib ?? null,
    gpuModel: null,
    timeoutMs: null,
    graceMs: 1_000,
    retry: { on: ["lost"], attempts: 2, lostAfterMs: 10_000 },
    againOf: given.submitKey === "k3" ? "j_before" : null,
    wantedTargetId: null,
    labels: {},
    priority: 0,
    ...given,
  };
}

function gpuFacts(uuid: string, memoryTotalMib: number) {
  return {
    uuid,
    index: 0,
    name: "GPU",
    memoryTotalMib,
    simulated: true,
    migParentUuid: null,
    schedulable: true,
  };
}

/** The gallery's jobs: one or more of every state, each with a story. */
import type { GpuPoint, Job, JobTimelineEvent } from "@nexus/shared/api/schemas";
import type { JobState } from "@nexus/shared/machines/job";

const MINUTE = 60_000;

export const SEED_USERS = [
  { id: "u_alice", name: "alice" },
  { id: "u_bjarne", name: "bjarne" },
  { id: "u_chidi", name: "chidi" },
  { id: "u_dana", name: "dana" },
] as const;

type JobSeed = Partial<Job> & { id: string; state: JobState; command: string[]; who: number; agoMin: number };

function job({ who, agoMin, ...seed }: JobSeed, nowMs: number): Job {
  const createdAtMs = nowMs - agoMin * MINUTE;
  const begun = seed.state !== "queued" && seed.state !== "assigned" && seed.state !== "starting";
  const ended = ["succeeded", "failed", "cancelled", "timed_out", "lost"].includes(seed.state);
  return {
    name: null,
    env: {},
    cwd: null,
    gpus: 1,
    gpuMemoryMib: null,
    gpuModel: null,
    timeoutMs: null,
    graceMs: 10_000,
    retry: null,
    wantedTarget: null,
    labels: {},
    queue: "default",
    priority: 0,
    user: SEED_USERS[who] ?? SEED_USERS[0],
    target: seed.state === "queued" ? null : { id: "t_ada0000001", name: "ada" },
    gpuUuids: [],
    attempt: seed.state === "queued" ? null : "a_1",
    attemptNumber: seed.state === "queued" ? 0 : 1,
    reason: null,
    exitCode: null,
    signal: null,
    message: null,
    cancelRequested: false,
    logBytes: 0,
    logTroubles: [],
    createdAtMs,
    assignedAtMs: seed.state === "queued" ? null : createdAtMs + 400,
    startedAtMs: begun ? createdAtMs + 2100 : null,
    endedAtMs: ended ? createdAtMs + agoMin * MINUTE * 0.6 : null,
    unreachableSinceMs: null,
    ...seed,
  };
}

export function seedJobs(nowMs: number): Job[] {
  const need = { gpus: 8, gpuMemoryMib: 65536, gpuModel: null };
  const special: Job[] = [
    job(
      {
        id: "j_7k2m9x4tqa",
        state: "running",
        name: "llama-8b sft",
        command: ["torchrun", "--nproc-per-node", "4", "train.py", "--config", "configs/sft-8b.yaml"],
        who: 0,
        agoMin: 134,
        gpus: 4,
        gpuMemoryMib: 71680,
        cwd: "/srv/exp/sft",
        env: { WANDB_MODE: "offline", NCCL_DEBUG: "WARN" },
        labels: { role: "training" },
        timeoutMs: 12 * 60 * MINUTE,
        gpuUuids: [0, 1, 2, 3].map((index) => `GPU-ada-0000-0000-0000-00000000000${index}`),
      },
      nowMs,
    ),
    job(
      {
        id: "j_0w5e8g3h7r",
        state: "queued",
        name: "pretrain sweep",
        command: ["bash", "sweep.sh"],
        who: 1,
        agoMin: 12,
        gpus: 8,
        gpuMemoryMib: 65536,
        reason: {
          code: "busy",
          need,
          best: { target: "ada", free: 2, total: 8 },
          holders: [
            { job: "j_7k2m9x4tqa", user: "alice", target: "ada", endsInMs: 12 * MINUTE, isLatest: false },
          ],
          moreHolders: 2,
        },
      },
      nowMs,
    ),
    job(
      {
        id: "j_3m1k9v6b2c",
        state: "queued",
        command: ["python", "eval.py", "--suite", "mmlu"],
        who: 2,
        agoMin: 8,
        wantedTarget: "playground",
        reason: { code: "cordoned", targets: ["playground"] },
      },
      nowMs,
    ),
    job(
      {
        id: "j_6r4t0y8u1i",
        state: "queued",
        command: ["nvidia-smi"],
        who: 0,
        agoMin: 3,
        gpus: 16,
        reason: {
          code: "impossible",
          need: { gpus: 16, gpuMemoryMib: null, gpuModel: null },
          best: { target: "ada", free: 2, total: 8 },
        },
      },
      nowMs,
    ),
    job(
      {
        id: "j_5a7s2d9f4g",
        state: "starting",
        name: "warmup",
        command: ["python", "-m", "bench.warmup"],
        who: 3,
        agoMin: 0.05,
      },
      nowMs,
    ),
    job(
      {
        id: "j_9d3w8r2vyb",
        state: "running",
        name: "tokenizer ablation",
        command: ["python", "ablate.py"],
        who: 1,
        agoMin: 41,
        cancelRequested: true,
      },
      nowMs,
    ),
    job(
      {
        id: "j_8b1t6y4p0w",
        state: "unreachable",
        name: "serve-embeddings",
        command: ["vllm", "serve", "BAAI/bge-m3"],
        who: 0,
        agoMin: 600,
        target: { id: "t_lamarr0003", name: "lamarr" },
        unreachableSinceMs: nowMs - 95_000,
      },
      nowMs,
    ),
    job(
      {
        id: "j_1q8w3e5r7t",
        state: "failed",
        name: "dpo run 14",
        command: ["python", "dpo.py", "--beta", "0.1"],
        who: 2,
        agoMin: 190,
        exitCode: 1,
      },
      nowMs,
    ),
    job(
      {
        id: "j_2z6x4c8v0b",
        state: "failed",
        command: ["./simulate", "--grid", "4096"],
        who: 3,
        agoMin: 260,
        signal: "SIGKILL",
        message: "the node ran out of memory",
      },
      nowMs,
    ),
    job(
      {
        id: "j_4p9o1i6u3y",
        state: "succeeded",
        name: "nightly eval",
        command: ["make", "eval"],
        who: 0,
        agoMin: 420,
        exitCode: 0,
      },
      nowMs,
    ),
    job(
      {
        id: "j_7n5b2v8c1x",
        state: "cancelled",
        command: ["python", "notebook.py"],
        who: 1,
        agoMin: 500,
        message: "cancelled by bjarne",
      },
      nowMs,
    ),
    job(
      {
        id: "j_3g7h9j2k5l",
        state: "timed_out",
        name: "grid search",
        command: ["python", "grid.py"],
        who: 2,
        agoMin: 800,
        message: "ran longer than 2 h",
        timeoutMs: 120 * MINUTE,
      },
      nowMs,
    ),
    job(
      {
        id: "j_0s4d8f2g6h",
        state: "lost",
        name: "old-node job",
        command: ["python", "long.py"],
        who: 3,
        agoMin: 2000,
        message: "noether did not come back within 30 min",
      },
      nowMs,
    ),
  ];
  const many = Array.from({ length: 2000 }, (_, index) =>
    job(
      {
        id: `j_${String(index).padStart(10, "0")}`,
        state: index % 17 === 3 ? "failed" : "succeeded",
        name: index % 3 === 0 ? `eval shard ${index}` : null,
        command: ["python", "eval.py", "--shard", String(index), "--of", "2000"],
        who: index % 4,
        agoMin: 2100 + index * 4,
        gpus: index % 5 === 0 ? 0 : 1,
        exitCode: index % 17 === 3 ? 1 : 0,
        target: { id: "t_turing0002", name: index % 2 ? "turing" : "ada" },
      },
      nowMs,
    ),
  );
  return [...special, ...many];
}

export function seedEvents(of: Job): JobTimelineEvent[] {
  const events: JobTimelineEvent[] = [
    {
      atMs: of.createdAtMs,
      type: "submitted",
      state: "queued",
      attempt: null,
      actor: of.user.name,
      message: "submitted",
    },
  ];
  const add = (atMs: number | null, event: { state: JobState; actor: string; message: string }) => {
    if (atMs !== null) events.push({ atMs, type: event.state, attempt: of.attempt, ...event });
  };
  const where = of.target?.name ?? "";
  add(of.assignedAtMs, {
    state: "assigned",
    actor: "scheduler",
    message: `${of.gpus} GPU${of.gpus === 1 ? "" : "s"} of ${where}`,
  });
  add(of.assignedAtMs === null ? null : of.assignedAtMs + 60, {
    state: "starting",
    actor: "scheduler",
    message: "start sent",
  });
  add(of.startedAtMs, { state: "running", actor: where, message: "process 48213" });
  add(of.unreachableSinceMs, { state: "unreachable", actor: "gateway", message: "no heartbeat" });
  add(of.endedAtMs, { state: of.state, actor: where, message: of.message ?? "" });
  return events;
}

export function seedSamples(of: Job, nowMs: number): GpuPoint[] {
  const from = of.startedAtMs ?? nowMs;
  const until = of.endedAtMs ?? nowMs;
  const steps = 160;
  return of.gpuUuids.flatMap((uuid, gpu) =>
    Array.from({ length: steps }, (_, step) => {
      const part = step / steps;
      const wave = Math.sin(step / 5 + gpu) * 4;
      return {
        atMs: Math.round(from + (until - from) * part),
        uuid,
        memoryUsedMib: part < 0.06 ? 9000 + part * 900_000 : 70_000 + gpu * 700 + wave * 90,
        utilizationPct: part < 0.06 ? 6 : Math.min(100, 91 + wave + (step % 23 === 0 ? -52 : 0)),
        powerW: 640,
        temperatureC: 66,
      };
    }),
  );
}

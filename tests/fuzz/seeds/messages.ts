import type {
  AgentMessage,
  AttemptExit,
  GpuFacts,
  HostFacts,
  ServerMessage,
} from "@nexus/shared/protocol/messages";

/** One good message of each type and direction: the types make sure that none is forgotten in its form. */
const GPU: GpuFacts = {
  uuid: "GPU-11111111-2222-3333-4444-555555555555",
  index: 0,
  name: "NVIDIA H100 80GB HBM3",
  memoryTotalMib: 81_559,
  simulated: false,
  migParentUuid: null,
  schedulable: true,
};
export const FACTS: HostFacts = {
  hostname: "gpu1.lab.example.org",
  os: "Linux",
  kernel: "6.1",
  arch: "x64",
  cpuModel: "test",
  cpuCount: 64,
  memoryTotalMib: 515_000,
  user: "ada",
  bootId: "b0075",
  agentVersion: "0.1.0",
  nodeVersion: "24.0.0",
  gpuDriver: "nvidia",
  gpuDriverVersion: "570.1",
  gpuProblem: null,
};
const attempt = "a_0123456789";
const EXIT: AttemptExit = {
  attempt,
  fence: 1,
  exitCode: 0,
  signal: null,
  reason: "exited",
  message: null,
  logBytes: 12,
  ranMs: 1000,
  endedAgoMs: 5,
  leftovers: [{ pid: 7, command: "sleep 1000" }],
};
const text = "AAAA";

export const AGENT_MESSAGES: AgentMessage[] = [
  {
    type: "hello",
    nodeId: "t_0123456789",
    protocolMin: 1,
    protocolMax: 1,
    agentNonce: text,
    generation: 3,
    agentVersion: "0.1.0",
    bootId: "b0075",
    origin: "http://127.0.0.1:8080",
    signature: text,
  },
  {
    type: "inventory",
    generation: 4,
    facts: FACTS,
    gpus: [GPU],
    attempts: [
      { attempt, fence: 1, state: "exited", pid: 9, startedAgoMs: 900, logBytes: 12, exit: EXIT },
      { attempt: "a_1", fence: 2, state: "recorded", pid: null, startedAgoMs: null, logBytes: 0, exit: null },
    ],
    faults: [{ code: "disk_full", message: "its disk is full: make room" }],
    last: true,
  },
  { type: "facts", facts: FACTS, gpus: [GPU] },
  { type: "started", attempts: [{ attempt, fence: 1, pid: 9, startedAgoMs: 3 }] },
  {
    type: "exited",
    attempts: [EXIT, { ...EXIT, reason: "start_failed", nodeFault: { code: "no_launcher", message: "m" } }],
  },
  { type: "log", attempt, fence: 1, offset: 0 },
  {
    type: "telemetry",
    sampledAgoMs: 10,
    gpus: [
      {
        uuid: GPU.uuid,
        memoryUsedMib: 614,
        utilizationPct: 3,
        temperatureC: 40,
        powerW: 70.5,
        powerLimitW: 700,
        processes: [{ pid: 9, user: "ada", command: "python", memoryMib: 500, attempt }],
      },
    ],
    host: { cpuPct: 3, load1: 0.5, memoryUsedMib: 900, memoryTotalMib: 515_000, diskFreeMib: 100 },
  },
  { type: "notice", level: "warning", code: "clock_jumped", message: "the clock jumped" },
  { type: "faults", faults: [{ code: "disk_full", message: "its disk is full: make room" }] },
  { type: "log_gap", attempts: [{ attempt, fence: 1, offset: 5 }] },
  { type: "heartbeat", seq: 1 },
  { type: "tunnel_opened", tunnel: 3, note: "over SSH" },
  { type: "tunnel_data", tunnel: 3 },
  { type: "tunnel_credit", tunnel: 3, bytes: 262_144 },
  { type: "tunnel_end", tunnel: 3 },
  { type: "tunnel_reset", tunnel: 3, code: "forbidden", message: "not here" },
];

export const SERVER_MESSAGES: ServerMessage[] = [
  { type: "challenge", serverNonce: text, protocolMin: 1, protocolMax: 1 },
  { type: "welcome", protocol: 1, generation: 4, heartbeatMs: 5_000, signature: text },
  { type: "refuse", code: "node_revoked", message: "removed", retryAfterMs: null, signature: text },
  { type: "sync", attempts: [{ attempt, fence: 1, want: "adopt", logBytes: 0 }] },
  {
    type: "start",
    jobs: [
      {
        attempt,
        fence: 1,
        job: "j_0123456789",
        command: ["sh", "-c", "echo"],
        env: { A: "b" },
        cwd: "/tmp",
        gpus: [GPU.uuid],
        timeoutMs: 60_000,
        graceMs: 1_000,
      },
    ],
  },
  { type: "stop", attempt, fence: 1, reason: "cancelled", graceMs: 1_000 },
  { type: "forget", attempts: [attempt] },
  { type: "log_ack", attempt, logBytes: 12, rewind: true, again: true },
  { type: "heartbeat", seq: 1 },
  { type: "tunnel_open", tunnel: 3, host: "localhost", port: 8000 },
  { type: "tunnel_data", tunnel: 3 },
  { type: "tunnel_credit", tunnel: 3, bytes: 262_144 },
  { type: "tunnel_end", tunnel: 3 },
  { type: "tunnel_reset", tunnel: 3, code: "unavailable", message: "cut" },
];

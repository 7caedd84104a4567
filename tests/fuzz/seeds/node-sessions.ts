import type { AgentMessage } from "@nexus/shared/protocol/messages";
import type { Json } from "../engine/mutate-json.ts";
import { FACTS } from "./messages.ts";

/** What a node does, step by step; `$…` are the names of the house. */
export type NodeScript = { begin: "live" | "welcomed" | "challenged"; steps: Json[] };

/** Of a session whose attempts, generation and GPUs the house knows. */
const running = "$running";
const ended = "$ended";
const sent = "$sent";
const gpus = [
  {
    uuid: "$gpu",
    index: 0,
    name: "NVIDIA H100",
    memoryTotalMib: 81_559,
    simulated: true,
    migParentUuid: null,
    schedulable: true,
  },
];
const exit = {
  exitCode: 0,
  signal: null,
  reason: "exited",
  message: null,
  logBytes: 3,
  ranMs: 1000,
  endedAgoMs: 5,
  leftovers: [{ pid: 7, command: "sleep 1000" }],
};
const named = (attempt: string, state: string) => ({
  ...{ attempt, fence: 1, state, pid: state === "running" ? 9 : null, startedAgoMs: 900, logBytes: 3 },
  exit: null,
});
const inventory = {
  type: "inventory",
  generation: "$generation",
  facts: FACTS,
  gpus,
  attempts: [
    named(running, "running"),
    named(sent, "recorded"),
    { ...named(ended, "exited"), exit: { ...exit, attempt: ended, fence: 1 } },
  ],
  faults: [{ code: "disk_full", message: "its disk is full: make room" }],
  last: true,
};
const started = { type: "started", attempts: [{ attempt: sent, fence: 1, pid: 9, startedAgoMs: 3 }] };
const exited = { type: "exited", attempts: [{ ...exit, attempt: running, fence: 1 }] };
const declined = {
  ...exit,
  ...{ attempt: sent, fence: 1, exitCode: null, reason: "start_failed", logBytes: 0 },
  nodeFault: { code: "disk_full", message: "its disk is full" },
};
const log = { type: "log", attempt: running, fence: 1, offset: 3 };
const telemetry = {
  type: "telemetry",
  sampledAgoMs: 10,
  gpus: [
    {
      uuid: "$gpu",
      ...{ memoryUsedMib: 614, utilizationPct: 3, temperatureC: 40, powerW: 70.5, powerLimitW: 700 },
      processes: [{ pid: 9, user: "ada", command: "python", memoryMib: 500, attempt: running }],
    },
  ],
  host: { cpuPct: 3, load1: 0.5, memoryUsedMib: 900, memoryTotalMib: 515_000, diskFreeMib: 100 },
};
const gap = { type: "log_gap", attempts: [{ attempt: running, fence: 1, offset: 2 }] };
const notice = { type: "notice", level: "warning", code: "clock_jumped", message: "the clock jumped" };
const say = (message: object, payload = ""): Json => ({ send: message as Json, payload });

export const NODE_TYPES: AgentMessage["type"][] = [
  "hello",
  "inventory",
  "facts",
  "started",
  "exited",
  "log",
  "telemetry",
  "notice",
  "faults",
  "log_gap",
  "heartbeat",
  "tunnel_opened",
  "tunnel_data",
  "tunnel_credit",
  "tunnel_end",
  "tunnel_reset",
];

/** Sessions of a node that holds its key. */
export const NODE_SCRIPTS: NodeScript[] = [
  { begin: "live", steps: [say(started), say(exited), say({ type: "heartbeat", seq: 1 })] },
  { begin: "live", steps: [say(exited), say(started), say(exited)] },
  { begin: "live", steps: [say({ type: "exited", attempts: [declined] }), say(started)] },
  { begin: "live", steps: [say(log, "defg"), say({ ...log, offset: 7 }, "hi"), say(exited)] },
  { begin: "live", steps: [say({ ...log, attempt: ended, offset: 0 }, "0123456789"), { do: "wait" }] },
  { begin: "live", steps: [say({ ...log, attempt: "$other", offset: 0 }, "not mine"), say(exited)] },
  { begin: "live", steps: [say({ type: "exited", attempts: [{ ...exit, attempt: "$other", fence: 1 }] })] },
  { begin: "live", steps: [say({ type: "facts", facts: FACTS, gpus }), say(telemetry), say(notice)] },
  { begin: "live", steps: [say({ type: "faults", faults: inventory.faults }), say(gap), say(telemetry)] },
  { begin: "live", steps: [{ do: "cancel" }, say(started), say(exited), { do: "wait" }, say(gap)] },
  {
    begin: "live",
    steps: [say({ type: "heartbeat", seq: 1 }), { times: 200, ...(say(log, "x") as object) }],
  },
  { begin: "live", steps: [say(exited), { do: "close" }] },
  { begin: "live", steps: [say(exited), say(log, "x"), { do: "cut" }] },
  {
    begin: "live",
    steps: [
      { do: "tunnel" },
      say({ type: "tunnel_opened", tunnel: 0, note: "n" }),
      say({ type: "tunnel_data", tunnel: 0 }, "hello"),
      say({ type: "tunnel_credit", tunnel: 0, bytes: 261 }),
      say({ type: "tunnel_end", tunnel: 0 }),
    ],
  },
  {
    begin: "live",
    steps: [
      { do: "tunnel" },
      say({ type: "tunnel_reset", tunnel: 0, code: "forbidden", message: "not here" }),
      { do: "tunnel" },
      say({ type: "tunnel_opened", tunnel: 1 }),
      { times: 20, ...(say({ type: "tunnel_data", tunnel: 1 }, "x".repeat(50_000)) as object) },
    ],
  },
  { begin: "live", steps: [{ do: "second" }, say(started)] },
  { begin: "live", steps: [{ text: "text" }, say(started)] },
  { begin: "live", steps: [{ bytes: "\0\0\0\u0002{}" }] },
  { begin: "live", steps: [{ wire: "\u0082\u0005\0\0\0\u0001{" }, { wire: "\u00ff\u00ff\u00ff" }] },
  { begin: "welcomed", steps: [say(inventory), say(started), say(log, "defg")] },
  {
    begin: "welcomed",
    steps: [say({ ...inventory, last: false }), say({ type: "heartbeat", seq: 1 }), say(inventory)],
  },
  { begin: "welcomed", steps: [{ times: 41, ...(say({ ...inventory, last: false }) as object) }] },
  { begin: "welcomed", steps: [say({ ...inventory, attempts: [named("$other", "running")] }), say(exited)] },
  { begin: "challenged", steps: [{ hello: {} }, { do: "wait" }, say(inventory), say(started)] },
  { begin: "challenged", steps: [{ hello: { generation: 0 } }] },
  { begin: "challenged", steps: [{ hello: { protocolMin: 9, protocolMax: 9, protocol: 9 } }] },
];

/**
 * Every message of the agent link, by direction. Headers only: `log` and `pty` carry their bytes as the frame's payload.
 * The node's identity comes from the connection, never from a message. Clocks are not comparable across machines, so
 * times travel as ages in ms (`…AgoMs`) measured on the sender's monotonic clock.
 */
import * as z from "zod/mini";
import {
  BATCH_ITEMS_MAX,
  CARDS_MAX,
  COMMAND_BYTES_MAX,
  GPUS_PER_JOB_MAX,
  TEXT_CHARS_MAX,
  TUNNEL_WINDOW_BYTES,
} from "./limits.ts";

/** Fits the database's integer: a node's nonsense must not become ours. */
const count = z.int().check(z.nonnegative(), z.lte(2_000_000_000));
/** Bytes, ms and sequence numbers. */
const amount = z.int().check(z.nonnegative());
const shortText = z.string().check(z.maxLength(TEXT_CHARS_MAX));
const idText = z.string().check(z.regex(/^[a-z]{1,3}_[0-9a-z]{1,32}$/));
const gpuUuid = z.string().check(z.regex(/^[A-Za-z0-9_./-]{1,96}$/));
const base64url = z.string().check(z.regex(/^[A-Za-z0-9_-]{1,1024}$/));
/** What a driver read; a value that cannot be is as good as none. */
const reading = (min: number, max: number) =>
  z.catch(z.nullable(z.number().check(z.gte(min), z.lte(max))), null);
const memoryMib = reading(0, 1_000_000_000);
const percent = reading(0, 100);

export const LABEL_KEY = /^[a-zA-Z0-9]([a-zA-Z0-9._/-]{0,61}[a-zA-Z0-9])?$/;
export const LABEL_VALUE = /^[a-zA-Z0-9._-]{0,63}$/;
/** A name or an address, without brackets. */
const TUNNEL_HOST = /^[A-Za-z0-9._:%-]{1,253}$/;
export const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

export const gpuFactsSchema = z.object({
  /** The driver's UUID; the key everywhere. */
  uuid: gpuUuid,
  /** Position in the driver's list; for display only, it changes when a device falls off the bus. */
  index: count,
  name: shortText,
  memoryTotalMib: z.nullable(count),
  simulated: z.boolean(),
  /** The card that this MIG instance was cut from. */
  migParentUuid: z.nullable(gpuUuid),
  /** False for a card in MIG mode: only its instances take jobs. */
  schedulable: z.boolean(),
});
export type GpuFacts = z.infer<typeof gpuFactsSchema>;
const gpuListSchema = z
  .array(gpuFactsSchema)
  .check(
    z.refine((gpus) => new Set(gpus.map(({ uuid }) => uuid)).size === gpus.length, "a GPU is named twice"),
  );

export const gpuProcessSchema = z.object({
  pid: count,
  user: z.nullable(shortText),
  command: z.nullable(shortText),
  memoryMib: memoryMib,
  /** The attempt whose marker the process or an ancestor carries; null for processes outside Nexus. */
  attempt: z.nullable(idText),
});
export type GpuProcess = z.infer<typeof gpuProcessSchema>;

export const gpuSampleSchema = z.object({
  uuid: gpuUuid,
  memoryUsedMib: memoryMib,
  utilizationPct: percent,
  temperatureC: reading(-300, 1_000),
  powerW: reading(0, 100_000),
  powerLimitW: reading(0, 100_000),
  processes: z.array(gpuProcessSchema),
});
export type GpuSample = z.infer<typeof gpuSampleSchema>;

export const hostSampleSchema = z.object({
  cpuPct: percent,
  load1: reading(0, 1_000_000),
  memoryUsedMib: memoryMib,
  memoryTotalMib: memoryMib,
  diskFreeMib: memoryMib,
  /** Not every agent tells it. */
  diskTotalMib: z.optional(memoryMib),
});
export type HostSample = z.infer<typeof hostSampleSchema>;

export const hostFactsSchema = z.object({
  hostname: shortText,
  os: shortText,
  kernel: shortText,
  arch: shortText,
  cpuModel: shortText,
  cpuCount: count,
  memoryTotalMib: count,
  /** The account that jobs run as. */
  user: shortText,
  bootId: shortText,
  agentVersion: shortText,
  nodeVersion: shortText,
  gpuDriver: z.enum(["nvidia", "amd", "simulated", "none"]),
  gpuDriverVersion: z.nullable(shortText),
  /** Why GPU data is missing, when it is: "driver not loaded: …". */
  gpuProblem: z.nullable(shortText),
  /** False where no job has a cgroup, so one that tries can leave processes behind. Older agents do not tell. */
  containsJobs: z.optional(z.boolean()),
  /** Digests that tell this machine, and this home of the agent on it, from copies. Older agents do not tell. */
  place: z.optional(
    z.object({
      machine: shortText,
      home: shortText,
      /** Of each of its network cards. */
      cards: z.optional(z.array(shortText).check(z.maxLength(CARDS_MAX))),
    }),
  ),
  /** What the node's policy file says of tunnels: any port of its own, some, or none. Older agents do not tell. */
  tunnels: z.catch(z.optional(z.enum(["open", "limited", "forbidden"])), undefined),
});
export type HostFacts = z.infer<typeof hostFactsSchema>;

/**
 * Something wrong with the node and with no job: while it lasts, nothing starts there. `message` reads on from "gpu1 refuses
 * starts: " and says what to do.
 */
const nodeFaultSchema = z.object({ code: z.string().check(z.regex(/^[a-z_]{1,64}$/)), message: shortText });
export type NodeFault = z.infer<typeof nodeFaultSchema>;
const faultList = z.array(nodeFaultSchema).check(z.maxLength(16));

const exitReasonSchema = z.enum(["exited", "cancelled", "timed_out", "vanished", "start_failed"]);

export const attemptExitSchema = z.object({
  attempt: idText,
  fence: count,
  /** 0..255, or null when a signal ended it or it is not known. */
  exitCode: z.nullable(count),
  signal: z.nullable(z.string().check(z.maxLength(16))),
  reason: exitReasonSchema,
  /** A sentence for people: why it could not start, what vanished. */
  message: z.nullable(shortText),
  /** Final size of the log in bytes. */
  logBytes: amount,
  ranMs: z.nullable(amount),
  /** How long ago it ended, on the sender's clock. */
  endedAgoMs: amount,
  /** Processes that survived the kill ladder. */
  leftovers: z.array(z.object({ pid: count, command: shortText })),
  /** Of `start_failed`: it never began, and not for a fault of its own. */
  nodeFault: z.optional(nodeFaultSchema),
});
export type AttemptExit = z.infer<typeof attemptExitSchema>;

export const attemptInventorySchema = z.object({
  attempt: idText,
  fence: count,
  state: z.enum(["recorded", "running", "exited"]),
  pid: z.nullable(count),
  startedAgoMs: z.nullable(amount),
  logBytes: amount,
  exit: z.nullable(attemptExitSchema),
});
export type AttemptInventory = z.infer<typeof attemptInventorySchema>;

export const jobStartSchema = z.object({
  attempt: idText,
  fence: count,
  job: idText,
  command: z.array(z.string().check(z.maxLength(COMMAND_BYTES_MAX))).check(z.minLength(1), z.maxLength(4096)),
  env: z.record(z.string().check(z.regex(ENV_NAME)), z.string().check(z.maxLength(COMMAND_BYTES_MAX))),
  cwd: z.nullable(z.string().check(z.maxLength(4096))),
  gpus: z.array(gpuUuid).check(z.maxLength(GPUS_PER_JOB_MAX)),
  timeoutMs: z.nullable(amount),
  graceMs: amount,
});
export type JobStart = z.infer<typeof jobStartSchema>;

const batch = <T extends z.core.$ZodType>(item: T) => z.array(item).check(z.maxLength(BATCH_ITEMS_MAX));

/** A number that the end that opens gives, and gives once in a connection. */
const tunnel = count;
/** Either way. What names a tunnel that is over is on its way since before, and is for nobody. */
const tunnelMessages = [
  /** Payload: the next bytes. */
  z.object({ type: z.literal("tunnel_data"), tunnel }),
  /** So much more may be sent; see tunnel-flow.ts. */
  z.object({
    type: z.literal("tunnel_credit"),
    tunnel,
    bytes: z.int().check(z.gte(1), z.lte(TUNNEL_WINDOW_BYTES)),
  }),
  /** No more bytes come this way; the other way goes on. */
  z.object({ type: z.literal("tunnel_end"), tunnel }),
  /** It is over both ways, or was never opened. `message` is for people. */
  z.object({
    type: z.literal("tunnel_reset"),
    tunnel,
    code: z.string().check(z.maxLength(64)),
    message: shortText,
  }),
] as const;

/** From the end that opens tunnels: `nexus port-forward`, and the control plane towards a node. */
const tunnelAsks = [
  z.object({
    type: z.literal("tunnel_open"),
    tunnel,
    /** As the far machine sees it; `localhost` is that machine. */
    host: z.string().check(z.regex(TUNNEL_HOST)),
    port: z.int().check(z.gte(1), z.lte(65_535)),
  }),
  ...tunnelMessages,
] as const;
const tunnelAnswers = [
  z.object({
    type: z.literal("tunnel_opened"),
    tunnel,
    /** What a person should know of the way that it takes. */
    note: z.optional(z.nullable(shortText)),
  }),
  ...tunnelMessages,
] as const;

export const tunnelAskSchema = z.discriminatedUnion("type", tunnelAsks);
export const tunnelAnswerSchema = z.discriminatedUnion("type", tunnelAnswers);
export type TunnelAsk = z.infer<typeof tunnelAskSchema>;
export type TunnelAnswer = z.infer<typeof tunnelAnswerSchema>;

/** Agent → control plane. */
export const agentMessageSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("hello"),
    nodeId: idText,
    protocolMin: count,
    protocolMax: count,
    agentNonce: base64url,
    /** The last generation that the node wrote down. */
    generation: count,
    agentVersion: shortText,
    bootId: shortText,
    /** The address that the node dialled; signed, so that no other address can relay the handshake. */
    origin: z.string().check(z.maxLength(512)),
    /** Ed25519 over the transcript, see handshake.ts. */
    signature: base64url,
  }),
  /** The whole truth of the node after a connect; `last` ends it when it takes several messages. Confirms `generation`. */
  z.object({
    type: z.literal("inventory"),
    generation: count,
    facts: hostFactsSchema,
    gpus: gpuListSchema,
    attempts: batch(attemptInventorySchema),
    /** As `faults` would say now. */
    faults: z.optional(faultList),
    last: z.boolean(),
  }),
  /** Hardware changed while connected. */
  z.object({ type: z.literal("facts"), facts: hostFactsSchema, gpus: gpuListSchema }),
  z.object({
    type: z.literal("started"),
    attempts: batch(z.object({ attempt: idText, fence: count, pid: count, startedAgoMs: amount })),
  }),
  z.object({ type: z.literal("exited"), attempts: batch(attemptExitSchema) }),
  /** Payload: bytes of the attempt's log from `offset`. */
  z.object({ type: z.literal("log"), attempt: idText, fence: count, offset: amount }),
  z.object({
    type: z.literal("telemetry"),
    sampledAgoMs: amount,
    gpus: z.array(gpuSampleSchema),
    host: hostSampleSchema,
  }),
  /** Something a person should see on the target's page: disk full, driver gone, clock jumped. */
  z.object({
    type: z.literal("notice"),
    level: z.enum(["info", "warning", "error"]),
    code: z.string().check(z.regex(/^[a-z_]{1,64}$/)),
    message: shortText,
  }),
  /** All that keeps this node from starting jobs at present; none says that starts may be sent again. */
  z.object({ type: z.literal("faults"), faults: faultList }),
  /** The disk was full while these ran: from `offset` on, what they wrote may be missing from their logs. */
  z.object({
    type: z.literal("log_gap"),
    attempts: batch(z.object({ attempt: idText, fence: count, offset: amount })),
  }),
  z.object({ type: z.literal("heartbeat"), seq: amount }),
  ...tunnelAnswers,
]);
export type AgentMessage = z.infer<typeof agentMessageSchema>;

/** Control plane → agent. */
export const serverMessageSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("challenge"), serverNonce: base64url, protocolMin: count, protocolMax: count }),
  z.object({
    type: z.literal("welcome"),
    protocol: count,
    /** The generation that the node must write down before its inventory confirms it. */
    generation: count,
    heartbeatMs: amount,
    /** Ed25519 of the server's identity key over the transcript. */
    signature: base64url,
  }),
  z.object({
    type: z.literal("refuse"),
    code: z.string().check(z.maxLength(64)),
    message: shortText,
    retryAfterMs: z.nullable(amount),
    /**
     * Set when the refusal is final (revoked, cloned): signed, so that nobody in between can talk a node out of its fleet.
     */
    signature: z.nullable(base64url),
  }),
  /** Answer to the inventory: what is wanted of each attempt that the node named. */
  z.object({
    type: z.literal("sync"),
    attempts: batch(
      z.object({
        attempt: idText,
        fence: count,
        /** `adopt`: go on, log from `logBytes`. `stop`: end it. `forget`: all is durable here. `unclaimed`: leave it alone. */
        want: z.enum(["adopt", "stop", "forget", "unclaimed"]),
        logBytes: amount,
      }),
    ),
  }),
  z.object({ type: z.literal("start"), jobs: batch(jobStartSchema) }),
  z.object({
    type: z.literal("stop"),
    attempt: idText,
    fence: count,
    reason: z.enum(["cancelled", "timed_out"]),
    graceMs: amount,
  }),
  z.object({ type: z.literal("forget"), attempts: batch(idText) }),
  /**
   * The log is stored up to `logBytes`. With `rewind` the sender goes back there; with `again` also when it was told so before:
   * what it sent then found no room.
   */
  z.object({
    type: z.literal("log_ack"),
    attempt: idText,
    logBytes: amount,
    rewind: z.boolean(),
    again: z.optional(z.boolean()),
  }),
  z.object({ type: z.literal("heartbeat"), seq: amount }),
  /** From protocol 2 on. */
  ...tunnelAsks,
]);
export type ServerMessage = z.infer<typeof serverMessageSchema>;

export type MessageOf<M extends { type: string }, T extends M["type"]> = Extract<M, { type: T }>;

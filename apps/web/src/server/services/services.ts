/**
 * What the use cases offer to the API, the gateway and server.ts. Every function takes the `Principal` that the edge
 * resolved, keeps to its team, and throws `NexusError` for refusals. Roles are checked by the API from the contract;
 * only what depends on the row (members cancel their own jobs) is checked here.
 */
import type { contract, OutputOf, ProcedureName } from "@nexus/shared/api/contract";
import type {
  GpuPoint,
  Job,
  JobSpec,
  JobTimelineEvent,
  LogTrouble,
  Queue,
  Target,
} from "@nexus/shared/api/schemas";
import type * as z from "zod";
import type { AgentPort, EventBus, Principal } from "./ports.ts";

/** A procedure's input after its schema filled the defaults in. */
export type ParsedInput<P extends ProcedureName> = z.output<(typeof contract)[P]["input"]>;

/** `attempt`: whose bytes they are; another's begin at 0 again. */
export type LogChunk = { attempt: string; offset: number; bytes: Uint8Array };

export type LogSlice = {
  /** Null while the job has none. */
  attempt: string | null;
  bytes: Uint8Array;
  /** Where `bytes` begin. */
  offset: number;
  /** Bytes stored now. */
  size: number;
  /** No byte will ever be added: the attempt is over and its log is whole (or was given up). */
  ended: boolean;
};

/** One attempt's log as it stands, for reading on without asking again who may. */
export type OpenLog = {
  attempt: string;
  size: number;
  read(offset: number, limit: number): Promise<Uint8Array>;
  tailOffset(lines: number, signal?: AbortSignal): Promise<number>;
  /** How many line ends lie before the byte. */
  linesBefore(offset: number, signal?: AbortSignal): Promise<number>;
};

export type FollowFrom = {
  /** Byte to begin at; `tailLines` goes before it. */
  offset?: number | undefined;
  /** Begin this many lines before the present end. */
  tailLines?: number | undefined;
  signal: AbortSignal;
};

export type Services = {
  readonly events: EventBus;
  readonly agentPort: AgentPort;
  /** Reads the world from the database and starts scheduling. Nothing else may be called before it resolved. */
  start(): Promise<void>;
  /** Stops planning, then waits until what was begun is written. */
  close(): Promise<void>;

  submitJobs(principal: Principal, input: ParsedInput<"jobs.submit">): Promise<{ jobs: Job[] }>;
  previewJob(principal: Principal, spec: JobSpec): Promise<OutputOf<"jobs.preview">>;
  moveJobs(principal: Principal, input: ParsedInput<"jobs.move">): Promise<OutputOf<"jobs.move">>;
  requeueJobs(principal: Principal, input: ParsedInput<"jobs.requeue">): Promise<OutputOf<"jobs.requeue">>;
  cancelJobs(principal: Principal, input: ParsedInput<"jobs.cancel">): Promise<OutputOf<"jobs.cancel">>;
  getJob(principal: Principal, id: string): Promise<Job>;
  /** For `jobs.watch`: those of `ids` that exist in the team, in no promised order. */
  getJobs(principal: Principal, ids: string[]): Promise<Job[]>;
  listJobs(principal: Principal, filter: ParsedInput<"jobs.list">): Promise<OutputOf<"jobs.list">>;
  /** Jobs by state: all that are queued or active, from memory. Final states are not counted. */
  jobCounts(teamId: string): Record<string, number>;
  listJobEvents(principal: Principal, id: string): Promise<JobTimelineEvent[]>;
  listJobSamples(principal: Principal, id: string): Promise<{ points: GpuPoint[] }>;

  fleet: {
    list(teamId: string): Target[];
    /** By public id or by name. @throws NexusError not_found */
    get(teamId: string, idOrName: string): Target;
    /** Like `get`, but null for what left the fleet: for `fleet.watch`. */
    find(teamId: string, idOrName: string): Target | null;
  };
  renameTarget(principal: Principal, input: ParsedInput<"targets.rename">): Promise<Target>;
  labelTarget(principal: Principal, input: ParsedInput<"targets.label">): Promise<Target>;
  cordonTarget(principal: Principal, input: ParsedInput<"targets.cordon">): Promise<Target>;
  removeTarget(principal: Principal, input: ParsedInput<"targets.remove">): Promise<{ ok: true }>;
  blockGpu(principal: Principal, input: ParsedInput<"targets.blockGpu">): Promise<Target>;
  listTargetSamples(
    principal: Principal,
    input: ParsedInput<"targets.samples">,
  ): Promise<{ points: GpuPoint[] }>;
  /** For whoever wrote a target's row elsewhere (enrolled, left, needs an update): the fleet reads it again. */
  refreshTarget(targetId: number): Promise<void>;

  listQueues(principal: Principal): Promise<Queue[]>;
  putQueue(principal: Principal, input: ParsedInput<"queues.put">): Promise<Queue>;
  removeQueue(
    principal: Principal,
    input: ParsedInput<"queues.remove">,
  ): Promise<{ ok: true; moved: number }>;

  /** Of the job's latest attempt; empty and not ended while it has none. Or of the one with that number. */
  readLog(
    principal: Principal,
    job: string,
    range: { offset: number; limit: number; fence?: number | undefined },
  ): Promise<LogSlice>;
  /**
   * The job's log from a place on, as it grows, until it has ended or `signal` aborts. A slow reader is behind, never in
   * the way: it reads from the store when it asks for the next chunk.
   */
  followLog(principal: Principal, job: string, from: FollowFrom): AsyncIterable<LogChunk>;
  /** Byte offset where the last `lines` lines begin. */
  logTailOffset(principal: Principal, job: string, lines: number): Promise<number>;
  /** The log of the job's latest attempt, or of the one with that number, and of no later one. Null while the job has none. */
  openLog(principal: Principal, job: string, fence?: number): Promise<OpenLog | null>;
  /** Size and end of the log without reading it: for `jobs.follow`. */
  logState(principal: Principal, job: string): Promise<{ logBytes: number; logEnded: boolean }>;
  /** Of a job that is not over: `logTroubles` as `getJob` gives it, from memory. Null once it is over, log and all. */
  logTroubles(job: Pick<Job, "id" | "attempt">): LogTrouble[] | null;
  /** What is wrong with the control plane itself, for everyone to see. */
  problems(): { code: string; message: string }[];
};

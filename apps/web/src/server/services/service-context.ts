import type { Policy } from "../core/scheduler/snapshot.ts";
import type { Client } from "../db/client.ts";
import type { Clock, EventBus, Hub, LogStore, RandomBytes, Right } from "./ports.ts";

export type ServiceLog = (
  level: "info" | "warn" | "error",
  message: string,
  facts?: Record<string, unknown>,
) => void;

/** How long things may take; tests shorten them. */
export type ServiceTiming = {
  /** The loop looks after itself this often: silent targets, starts that did not leave, reasons that aged. */
  sweepMs: number;
  /** A node away for less than this (an agent's restart, ours) does not make its jobs unreachable. */
  silenceGraceMs: number;
  /** An unreachable target is called offline after this. Its jobs keep their leases. */
  offlineAfterMs: number;
  /** The live jobs are compared with the database this often. */
  verifyMs: number;
  /** GPU samples are stored at most this often a GPU. */
  sampleEveryMs: number;
  sampleKeepMs: number;
  /** Ended jobs are kept so long, with their logs; null for ever. */
  historyKeepMs: number | null;
  /** Days that logs are kept, and bytes of them a team, where the team says nothing; 0 is for ever, or any size. */
  logKeepDays: number;
  logBytesMax: number;
  /** Logs that found no room are asked for again after this. */
  logRetryMs: number;
  /** Jobs of one team that may wait at once: each is held in memory and planned. */
  queuedJobsMax: number;
  /** Fair share forgets half of a GPU hour after this. */
  usageHalfLifeMs: number;
};

export const DEFAULT_TIMING: ServiceTiming = {
  sweepMs: 1_000,
  silenceGraceMs: 5_000,
  offlineAfterMs: 5 * 60_000,
  verifyMs: 30_000,
  sampleEveryMs: 10_000,
  sampleKeepMs: 14 * 86_400_000,
  historyKeepMs: 365 * 86_400_000,
  logKeepDays: 90,
  logBytesMax: 100 * 2 ** 30,
  logRetryMs: 5_000,
  queuedJobsMax: 100_000,
  usageHalfLifeMs: 86_400_000,
};

/** What the use cases reach the world through. */
export type ServiceContext = {
  db: Client["db"];
  sql: Client["sql"];
  hub: Hub;
  logs: LogStore;
  events: EventBus;
  right: Right;
  clock: Clock;
  randomBytes: RandomBytes;
  /** Why the control plane's own disk takes nothing, null while it does; a control plane without a home has none. */
  fullDisk?(): string | null;
  log: ServiceLog;
  policy: Policy;
  timing: ServiceTiming;
};

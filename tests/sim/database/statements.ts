/** Every statement that the simulated control plane may make, by the name of the function that makes it. */
import {
  beginEpoch,
  confirmGeneration,
  findControlPlane,
  findNodeKey,
  listRevokedTargets,
  offerGeneration,
  putGpus,
  setTargetFacts,
  setTargetStates,
} from "./fleet-statements.ts";
import {
  cancelJobs,
  closeAttempts,
  endAttempts,
  estrangeAttempts,
  insertJobs,
  moveJobs,
  placeJobs,
  recordLogGaps,
  recordStarted,
  requeueJobs,
  takeUpAttempts,
} from "./job-statements.ts";
import {
  findAttempts,
  findJobs,
  findJobsBySubmitKey,
  listFleet,
  listGpus,
  listLiveJobs,
  listOpenAttempts,
  listQueues,
  listRunTimes,
  listStartSpecs,
  listUsage,
  liveChecksum,
} from "./read-statements.ts";
import { ConstraintError, type Tables } from "./tables.ts";

export type Statement = (tables: Tables, ...values: never[]) => unknown;

const nothing: Statement = () => undefined;

const STATEMENTS: Record<string, Statement> = {
  beginEpoch,
  findControlPlane,
  recordLogGaps,
  cancelJobs,
  closeAttempts,
  confirmGeneration,
  endAttempts,
  estrangeAttempts,
  findAttempts,
  findJobs,
  findJobsBySubmitKey,
  findNodeKey,
  insertJobs,
  listFleet,
  listGpus,
  listLiveJobs,
  listOpenAttempts,
  listQueues,
  listRevokedTargets,
  listRunTimes,
  listStartSpecs,
  listUsage,
  liveChecksum,
  moveJobs,
  offerGeneration,
  placeJobs,
  putGpus,
  recordStarted,
  requeueJobs,
  takeUpAttempts,
  setTargetFacts,
  setTargetStates,
  // Nothing that is decided depends on what these write.
  insertAuditEvent: nothing,
  insertGpuSamples: nothing,
  deleteGpuSamples: () => 0,
  // In the days that a simulation lasts no log is too old or too much.
  listExpiredLogs: () => [],
  touchHeartbeats: nothing,
};

/** These the trigger `nexus_fence` does not meet: they write nothing, or begin the epoch. */
const UNFENCED = /^(list|find|live|beginEpoch)/;

/** The product makes a statement that this model does not know: a gap of the model, not a fault to be dealt with. */
export class UnknownStatement extends Error {}

/** @param epoch of the session; null for one that is no control plane's. */
export function perform(
  tables: Tables,
  epoch: number | null,
  [name, ...values]: [string, ...unknown[]],
): unknown {
  const statement = STATEMENTS[name];
  if (statement === undefined) throw new UnknownStatement(`${name} is not in tests/sim/database yet`);
  if (epoch !== null && !UNFENCED.test(name) && tables.controlPlane?.epoch !== epoch)
    throw new ConstraintError("NX001", `another control plane became active: epoch ${epoch} is over`);
  return statement(tables, ...(values as never[]));
}

import type { ProcedureName } from "@nexus/shared/api/contract";
import { createApiKey } from "./api-keys/create.ts";
import { listApiKeys } from "./api-keys/list.ts";
import { revokeApiKey } from "./api-keys/revoke.ts";
import { listAudit } from "./audit/list.ts";
import { createEnrollToken } from "./enroll-tokens/create.ts";
import { listEnrollTokens } from "./enroll-tokens/list.ts";
import { revokeEnrollToken } from "./enroll-tokens/revoke.ts";
import { listFleet } from "./fleet/list.ts";
import { watchFleet } from "./fleet/watch.ts";
import { cancelJobs } from "./jobs/cancel.ts";
import { listJobEvents } from "./jobs/events.ts";
import { followJob } from "./jobs/follow.ts";
import { getJob } from "./jobs/get.ts";
import { listJobs } from "./jobs/list.ts";
import { moveJobs } from "./jobs/move.ts";
import { previewJob } from "./jobs/preview.ts";
import { requeueJobs } from "./jobs/requeue.ts";
import { listJobSamples } from "./jobs/samples.ts";
import { submitJobs } from "./jobs/submit.ts";
import { watchJobs } from "./jobs/watch.ts";
import { getMe } from "./me/get.ts";
import { addMember } from "./members/add.ts";
import { listMembers } from "./members/list.ts";
import { removeMember } from "./members/remove.ts";
import { setMemberRole } from "./members/set-role.ts";
import { listQueues } from "./queues/list.ts";
import { putQueue } from "./queues/put.ts";
import { removeQueue } from "./queues/remove.ts";
import { getServerHealth } from "./server/health.ts";
import { answerSsh } from "./ssh/answer.ts";
import { cancelSsh } from "./ssh/cancel.ts";
import { listSshHostKeys } from "./ssh/host-keys.ts";
import { readSsh } from "./ssh/read.ts";
import { readSshHosts } from "./ssh/read-hosts.ts";
import { replaceSshHostKey } from "./ssh/replace-host-key.ts";
import { startSsh } from "./ssh/start.ts";
import { watchSsh } from "./ssh/watch.ts";
import { listSshWays } from "./ssh/ways.ts";
import { blockGpu } from "./targets/block-gpu.ts";
import { cordonTarget } from "./targets/cordon.ts";
import { getTarget } from "./targets/get.ts";
import { labelTarget } from "./targets/label.ts";
import { removeTarget } from "./targets/remove.ts";
import { renameTarget } from "./targets/rename.ts";
import { listTargetSamples } from "./targets/samples.ts";
import { type ProcedureOf, router } from "./trpc.ts";

type Noun = ProcedureName extends `${infer N}.${string}` ? N : never;
type Verb<N extends Noun> = ProcedureName extends infer P ? (P extends `${N}.${infer V}` ? V : never) : never;
/** The contract as a tree; a procedure too many or too few does not compile. */
type Contracted = {
  [N in Noun]: { [V in Verb<N>]: `${N}.${V}` extends ProcedureName ? ProcedureOf<`${N}.${V}`> : never };
};

export const appRouter = router({
  me: { get: getMe },
  server: { health: getServerHealth },
  fleet: { list: listFleet, watch: watchFleet },
  targets: {
    get: getTarget,
    rename: renameTarget,
    label: labelTarget,
    cordon: cordonTarget,
    remove: removeTarget,
    blockGpu,
    samples: listTargetSamples,
  },
  enrollTokens: { create: createEnrollToken, list: listEnrollTokens, revoke: revokeEnrollToken },
  ssh: {
    start: startSsh,
    read: readSsh,
    watch: watchSsh,
    answer: answerSsh,
    cancel: cancelSsh,
    readHosts: readSshHosts,
    ways: listSshWays,
    hostKeys: listSshHostKeys,
    replaceHostKey: replaceSshHostKey,
  },
  jobs: {
    submit: submitJobs,
    preview: previewJob,
    get: getJob,
    list: listJobs,
    watch: watchJobs,
    follow: followJob,
    events: listJobEvents,
    samples: listJobSamples,
    cancel: cancelJobs,
    move: moveJobs,
    requeue: requeueJobs,
  },
  queues: { list: listQueues, put: putQueue, remove: removeQueue },
  members: { list: listMembers, add: addMember, setRole: setMemberRole, remove: removeMember },
  apiKeys: { list: listApiKeys, create: createApiKey, revoke: revokeApiKey },
  audit: { list: listAudit },
} satisfies Contracted);

/** For the dashboard's client; a type only. */
export type AppRouter = typeof appRouter;

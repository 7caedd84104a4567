/**
 * What the queues of a team let through while one plan is made: jobs and GPUs at once, of all together and of each user.
 *
 * Owns: what counts against each limit. Built from the active jobs, grown by the placements of the same plan, thrown away
 * after. A share of a GPU counts as a GPU. Claims are those of the GPUs of the fleet (see `reserve.ts`): whoever has one
 * claims its part of the limits too, and so does a wide job that only a limit of GPUs stops. What leaves is kept for
 * claims, but for jobs of a higher band and those that are surely gone by then; else a stream of narrow jobs would keep
 * a wide one out for ever.
 */
import type { QueueLimit } from "@nexus/shared/scheduler/reason";
import { type Band, type Claim, type Hold, holdOf, isHigher, isSenior, placedHold } from "./board.ts";
import { nameHolders } from "./name-holders.ts";
import type { QueuedJob, QueueView, TeamSnapshot } from "./snapshot.ts";

export type QueueGate = {
  /** What keeps a job out whatever is free. */
  refusal(job: QueuedJob, band: Band): QueueLimit | null;
  /** Whether the queue limits GPUs, of all or of each user. */
  limitsGpus(job: QueuedJob): boolean;
  /** Whether a refused job needs a claim to get in ever: narrow ones take their turn, and one of a width is enough. */
  needsClaim(job: QueuedJob, band: Band, refusal: QueueLimit): boolean;
  /** @param refusal claims no more than what was refused; without one, its part of every limit. */
  claim(claim: Claim, refusal: QueueLimit | null): void;
  unclaim(job: QueuedJob): void;
  take(job: QueuedJob, target: string): void;
};

/** What counts against the limits of a queue, or of one user in it. */
type Account = {
  person: string | null;
  jobsMax: number | null;
  gpusMax: number | null;
  jobs: number;
  gpus: number;
  holds: { hold: Hold; target: string; gpus: number }[];
  /** Of waiting jobs, each for as many GPUs as it needs. */
  claims: Claim[];
  /** Equal refusals are one object: thousands of jobs can have the same. */
  said: Map<string, QueueLimit>;
};

type Owner = { queueId: number; userId: string; userName: string };

export function createQueueGate(team: TeamSnapshot, nowMs: number): QueueGate {
  const queues = new Map(team.queues.map((queue) => [queue.id, queue]));
  const accounts = new Map<string, Account>();
  const names = new Map(team.targets.map(({ id, name }) => [id, name]));
  for (const job of team.active) {
    const target = names.get(job.targetId) ?? "a target that left";
    for (const account of accountsOf(job)) {
      count(account, { hold: holdOf(job, nowMs), target, gpus: job.gpus.length });
    }
  }

  return {
    refusal(job, band) {
      const queue = queues.get(job.queueId);
      if (!queue) return null;
      for (const account of accountsOf(job)) {
        const refusal = ofJobs(queue, account) ?? ofGpus(queue, account, { job, band });
        if (refusal) return refusal;
      }
      return null;
    },
    limitsGpus: (job) => accountsOf(job).some(({ gpusMax }) => gpusMax !== null),
    needsClaim(job, band, { of, need, limit, person }) {
      if (of !== "gpus" || need < 2 || need > limit) return false;
      const refusing = accountsOf(job).find((account) => account.person === person);
      return !refusing?.claims.some((one) => one.job.shape.gpus === need && !isHigher(band, one.band));
    },
    claim(claim, refusal) {
      for (const account of accountsOf(claim.job)) {
        forget(account, claim.job);
        const isRefusing = refusal !== null && account.person === refusal.person;
        account.claims.push(isRefusing ? { ...claim, startMs: startOf(account, claim.job) } : claim);
        if (isRefusing) break;
      }
    },
    unclaim(job) {
      for (const account of accountsOf(job)) forget(account, job);
    },
    take(job, target) {
      for (const account of accountsOf(job)) {
        forget(account, job);
        count(account, { hold: placedHold(job, nowMs), target, gpus: job.shape.gpus });
      }
    },
  };

  /** The user's first: whom their own limit stops, takes nothing from the others. */
  function accountsOf({ queueId, userId, userName }: Owner): Account[] {
    const queue = queues.get(queueId);
    if (!queue) return [];
    const { runningMax, gpusMax, userRunningMax, userGpusMax } = queue;
    const found: Account[] = [];
    if (userRunningMax !== null || userGpusMax !== null) {
      const limits = { person: userName, jobsMax: userRunningMax, gpusMax: userGpusMax };
      found.push(account(`${queueId} ${userId}`, limits));
    }
    if (runningMax !== null || gpusMax !== null) {
      found.push(account(`${queueId}`, { person: null, jobsMax: runningMax, gpusMax }));
    }
    return found;
  }

  function account(key: string, limits: Pick<Account, "person" | "jobsMax" | "gpusMax">): Account {
    const known = accounts.get(key);
    if (known) return known;
    const made = { ...limits, jobs: 0, gpus: 0, holds: [], claims: [], said: new Map() };
    accounts.set(key, made);
    return made;
  }

  function ofJobs(queue: QueueView, account: Account): QueueLimit | null {
    const { jobsMax, jobs } = account;
    if (jobsMax === null || jobs < jobsMax) return null;
    return say(queue, account, { of: "jobs", limit: jobsMax, need: 1, held: jobs, keptFor: null });
  }

  function ofGpus(
    queue: QueueView,
    account: Account,
    { job, band }: { job: QueuedJob; band: Band },
  ): QueueLimit | null {
    const { gpusMax: limit, gpus: held } = account;
    const need = job.shape.gpus;
    if (limit === null || need === 0) return null;
    const ahead = claimsAhead(account, { job, band });
    const claimed = ahead.reduce((sum, claim) => sum + claim.job.shape.gpus, 0);
    if (held + claimed + need <= limit) return null;
    const keptFor = held + need > limit ? null : (ahead[0]?.job.id ?? null);
    return say(queue, account, { of: "gpus", limit, need, held, keptFor });
  }

  function claimsAhead({ claims }: Account, { job, band }: { job: QueuedJob; band: Band }): Claim[] {
    if (claims.length === 0) return claims;
    const own = claims.find((claim) => claim.job.id === job.id);
    const endMs = job.timeoutMs === null ? Number.POSITIVE_INFINITY : nowMs + job.timeoutMs + job.graceMs;
    return claims.filter(
      (claim) =>
        claim !== own &&
        endMs > claim.startMs &&
        !isHigher(band, claim.band) &&
        (own === undefined || isSenior(claim, own)),
    );
  }

  /** When enough of what is held has surely ended; now, when nobody knows. */
  function startOf({ gpus, gpusMax, holds }: Account, { shape }: QueuedJob): number {
    let lacking = gpus + shape.gpus - (gpusMax ?? 0);
    for (const { hold, gpus: freed } of holds.toSorted((a, b) => endOf(a.hold) - endOf(b.hold))) {
      if (lacking <= 0) break;
      lacking -= freed;
      if (lacking <= 0) return hold.endMs ?? nowMs;
    }
    return nowMs;
  }

  function endOf({ endMs }: Hold): number {
    return endMs ?? Number.POSITIVE_INFINITY;
  }

  function say(
    queue: QueueView,
    account: Account,
    what: Pick<QueueLimit, "of" | "limit" | "need" | "held" | "keptFor">,
  ): QueueLimit {
    const key = `${what.of} ${what.need} ${what.keptFor}`;
    const said = account.said.get(key);
    if (said) return said;
    const holds = what.of === "jobs" ? account.holds : account.holds.filter(({ gpus }) => gpus > 0);
    const refusal: QueueLimit = {
      code: "queue_limit",
      queue: queue.name,
      person: account.person,
      ...what,
      ...nameHolders(holds, nowMs),
    };
    account.said.set(key, refusal);
    return refusal;
  }

  function count(account: Account, held: Account["holds"][number]): void {
    account.jobs += 1;
    account.gpus += held.gpus;
    account.holds.push(held);
    account.said.clear();
  }

  function forget(account: Account, { id }: QueuedJob): void {
    account.claims = account.claims.filter((claim) => claim.job.id !== id);
    account.said.clear();
  }
}

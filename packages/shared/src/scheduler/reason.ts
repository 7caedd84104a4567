/**
 * Why a job waits, as data. Every waiting job has one; the CLI and the dashboard print `explainReason`, tests and
 * scripts read the fields.
 */
export type WaitingReason = Cause & {
  /** Set where the job's queue keeps it from targets that would otherwise match. */
  selector?: { queue: string; only: string };
};

type Cause =
  /** Submitted, not planned yet. Lasts one planning round. */
  | { code: "new" }
  /** The team has no target at all. */
  | { code: "no_targets" }
  /** Nothing matches the job's target or labels. */
  | { code: "no_match"; wanted: string }
  /** Matching targets exist, but none is connected. */
  | { code: "offline"; targets: string[] }
  /** All that match are cordoned or draining. */
  | { code: "cordoned"; targets: string[] }
  /** All that match refuse starts, by faults of their own (see `NodeFault`); the job waits until one is well again. */
  | { code: "held"; targets: { target: string; fault: string; message: string }[] }
  /** Could never run on what matches: more GPUs, memory or another model than any has. */
  | { code: "impossible"; need: Need; best: Offer | null }
  /** Would fit, but what it needs is in use. */
  | { code: "busy"; need: Need; best: Offer; holders: Holder[]; moreHolders: number }
  /** Would fit now, but a wider or older job has a reservation. */
  | { code: "reserved"; for: string; target: string }
  /** GPU samples are too old to trust. */
  | { code: "stale"; targets: string[] }
  /** Free as far as Nexus knows, but processes outside Nexus hold the memory. */
  | { code: "foreign"; target: string; users: string[] }
  | { code: "queue_paused"; queue: string }
  | QueueLimit
  /** Nothing that its queue runs on matches the job; `wanted` null: the queue's selector itself matches nothing. */
  | { code: "queue_selector"; queue: string; only: string; wanted: string | null }
  /** The last placement did not start; tried again after a pause. */
  | { code: "backoff"; untilMs: number; because: string };

/** Its queue, or its user within the queue, has as much as the queue allows. */
export type QueueLimit = {
  code: "queue_limit";
  queue: string;
  of: "jobs" | "gpus";
  limit: number;
  /** Whose limit it is; null is that of all together. */
  person: string | null;
  /** What the job would add, and what there is. More need than limit never fits. */
  need: number;
  held: number;
  /** The job ahead that the rest is kept for. */
  keptFor: string | null;
  holders: Holder[];
  moreHolders: number;
};

export type Need = { gpus: number; gpuMemoryMib: number | null; gpuModel: string | null };
/** What the best target has: `free` of `total` GPUs that satisfy the need's memory and model. */
export type Offer = { target: string; free: number; total: number };
/**
 * Who holds what it needs. `endsInMs` is what runs of the same kind took, or, with `isLatest`, when its timeout ends it;
 * null when nobody knows.
 */
export type Holder = {
  job: string;
  user: string;
  target: string;
  endsInMs: number | null;
  isLatest: boolean;
};

/** Whether waiting alone may end it. Without, the fleet, the queue or the job itself must change first. */
export function mayPass(reason: WaitingReason): boolean {
  switch (reason.code) {
    case "no_targets":
    case "no_match":
    case "impossible":
    case "queue_selector":
      return false;
    case "queue_limit":
      return reason.need <= reason.limit;
    default:
      return true;
  }
}

/** One sentence for people, at most about 160 characters. */
export function explainReason(reason: WaitingReason): string {
  const { selector } = reason;
  const cause = causeText(reason);
  return selector ? `${cause}; queue ${selector.queue} runs only on ${selector.only}` : cause;
}

function causeText(reason: Cause): string {
  switch (reason.code) {
    case "new":
      return "just submitted";
    case "no_targets":
      return "the fleet has no machine yet; enrol one";
    case "no_match":
      return `no target matches ${reason.wanted}`;
    case "offline":
      return `not connected: ${list(reason.targets)}`;
    case "cordoned":
      return `cordoned: ${list(reason.targets)}`;
    case "held":
      return heldText(reason.targets);
    case "impossible":
      return `needs ${needText(reason.need)}; ${
        reason.best
          ? `the largest match, ${reason.best.target}, has ${reason.best.total}`
          : "no matching target has any"
      }`;
    case "busy":
      return `needs ${needText(reason.need)}; ${reason.best.target} has ${reason.best.free} of ${reason.best.total} free${holdersText(
        reason.holders,
        reason.moreHolders,
      )}`;
    case "reserved":
      return `${reason.target} is kept for ${reason.for}, which is ahead`;
    case "stale":
      return `GPU data too old to trust: ${list(reason.targets)}`;
    case "foreign":
      return `GPUs of ${reason.target} are used outside Nexus by ${list(reason.users)}`;
    case "queue_paused":
      return `queue ${reason.queue} is paused`;
    case "queue_limit":
      return limitText(reason);
    case "queue_selector":
      return `queue ${reason.queue} runs only on ${reason.only}${
        reason.wanted === null ? "; no target matches that" : `; no target there matches ${reason.wanted}`
      }`;
    case "backoff":
      return `waits before another try: ${reason.because}`;
  }
}

function limitText(reason: QueueLimit): string {
  const { queue, of, limit, person, need, held, keptFor } = reason;
  const limitOf = `its limit of ${of === "jobs" ? countOf(limit, "job") : countOf(limit, "GPU")}`;
  if (need > limit) {
    return of === "jobs"
      ? `queue ${queue} lets ${person === null ? "no job" : "nobody's jobs"} start: ${limitOf.slice(4)}`
      : `needs ${countOf(need, "GPU")}; queue ${queue} allows ${person === null ? "" : "a person "}${limit} at once`;
  }
  const who = person === null ? `queue ${queue}` : `${person}`;
  const within = person === null ? limitOf : `${limitOf.replace("its", "the")} a person in queue ${queue}`;
  if (keptFor !== null) return `${who} keeps the rest of ${within} for ${keptFor}, which is ahead`;
  const verb = of === "jobs" ? "runs" : "holds";
  const ends = soonestText(reason.holders, reason.moreHolders);
  if (held >= limit) return `${who} ${verb} ${within}${ends}`;
  return `needs ${countOf(need, "GPU")}; ${who} ${verb} ${held} of ${within}${ends}`;
}

/** When something ends, or who holds it. */
function soonestText(holders: Holder[], more: number): string {
  const [first] = holders;
  if (!first || first.endsInMs === null) return holdersText(holders, more);
  return `; ${first.user}'s ${first.job} ends ${endTimeText(first.endsInMs, first.isLatest)}`;
}

function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function heldText(targets: { target: string; message: string }[]): string {
  const [first, ...rest] = targets;
  if (!first) return "no node takes starts now";
  const more =
    rest.length === 0
      ? ""
      : `; neither ${rest.length === 1 ? "does" : "do"} ${list(rest.map(({ target }) => target))}`;
  return `node ${first.target} refuses starts: ${first.message}${more}`;
}

function needText(need: Need): string {
  const model = need.gpuModel ? ` ${need.gpuModel}` : "";
  const memory = need.gpuMemoryMib === null ? "" : ` with ${gib(need.gpuMemoryMib)} free`;
  return `${need.gpus}${model} GPU${need.gpus === 1 ? "" : "s"}${memory}`;
}

function holdersText(holders: Holder[], more: number): string {
  if (holders.length === 0) return "";
  const texts = holders.map(({ user, job, ...end }, i) => {
    return `${user}'s ${i === 0 ? "job " : ""}${job}${endText(end, i === 0 ? "ends " : "")}`;
  });
  if (more > 0) texts.push(`${more} more`);
  const last = texts.length > 1 ? ` and ${texts.pop()}` : "";
  return `; held by ${texts.join(", ")}${last}`;
}

function endText({ endsInMs, isLatest }: Pick<Holder, "endsInMs" | "isLatest">, verb: string): string {
  if (endsInMs === null) return "";
  return ` (${verb}${endTimeText(endsInMs, isLatest)})`;
}

function endTimeText(endsInMs: number, isLatest: boolean): string {
  return `${isLatest ? "within" : "in about"} ${duration(endsInMs)}`;
}

function gib(mib: number): string {
  return mib % 1024 === 0 ? `${mib / 1024} GiB` : `${mib} MiB`;
}

function duration(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return "1 min";
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

function list(names: string[]): string {
  return names.length <= 3
    ? names.join(", ")
    : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
}

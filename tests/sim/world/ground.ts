/**
 * What really happened on the machines, whatever anybody recorded: which jobs ran, what they wrote, how they ended. The
 * measure for the control plane's account.
 */
import { kernel } from "./kernel.ts";
import type { Machine } from "./machine.ts";

/** What a job does when it runs. */
export type Work = {
  number: number;
  durationMs: number;
  writes: number;
  bytesPerWrite: number;
  exitCode: number;
  ignoresTerm: boolean;
  /** Leaves a process in a group of its own behind. */
  leavesProcess: boolean;
  /** Of each of its GPUs; null takes them whole. */
  gpuMemoryMib: number | null;
};

export type Run = {
  attempt: string;
  job: string;
  work: Work;
  machine: Machine;
  gpus: string[];
  /** The log as the job wrote it. */
  log: Uint8Array;
  logBytes: number;
  /** Its processes, supervisor aside. */
  pids: Set<number>;
  hasEnded: boolean;
  status: number | null;
  /** Its machine lost power, or its processes were killed by something else than the agent. */
  wasHarmed: boolean;
  /** It had ended when its machine was copied: the copy tells its exit, and knows nothing of what it left behind here. */
  endWasCopied: boolean;
  /** Its log may be shorter on the node than what it wrote. */
  lostLog: boolean;
};

export type Ground = {
  works: Map<number, Work>;
  runs: Map<string, Run>;
  /** Runs of each job in the order in which they began. */
  byJob: Map<string, Run[]>;
  /** Memory of one simulated GPU. */
  gpuMemoryMib: number;
  onRun: ((run: Run) => void) | null;
  /** Whether the other was given up, by a person or its job's rule, so that both may run. */
  mayOverlap: (other: Run) => boolean;
};

let present: Ground;

export function ground(): Ground {
  return present;
}

export function newGround(gpuMemoryMib: number): Ground {
  present = {
    works: new Map(),
    runs: new Map(),
    byJob: new Map(),
    gpuMemoryMib,
    onRun: null,
    mayOverlap: () => false,
  };
  return present;
}

export function runBegins(given: Pick<Run, "attempt" | "job" | "work" | "machine" | "gpus">): Run | null {
  const { attempt, job, machine } = given;
  kernel().note(`${machine.name} runs ${attempt} of ${job} gpus=${given.gpus.length}`);
  if (present.runs.has(attempt)) {
    kernel().violate("no attempt starts twice", `${attempt} of ${job} began again on ${machine.name}`);
    return null;
  }
  const run: Run = {
    ...given,
    log: new Uint8Array(256),
    logBytes: 0,
    pids: new Set(),
    hasEnded: false,
    status: null,
    wasHarmed: false,
    endWasCopied: false,
    lostLog: false,
  };
  checkGpus(run);
  present.runs.set(attempt, run);
  const ofJob = present.byJob.get(job) ?? [];
  present.byJob.set(job, ofJob);
  // Of two that run at once either may have been given up: the one that was may begin last.
  const isGivenUp = present.mayOverlap(run);
  const other = ofJob.find((one) => one.pids.size > 0 && one.machine.isUp && !present.mayOverlap(one));
  if (other !== undefined && !isGivenUp)
    kernel().violate("a job runs once at a time", `${attempt} begins while ${other.attempt} of ${job} lives`);
  ofJob.push(run);
  present.onRun?.(run);
  return run;
}

export function hasWritten(run: Run, bytes: Uint8Array): void {
  if (run.logBytes + bytes.length > run.log.length) {
    const larger = new Uint8Array((run.logBytes + bytes.length) * 2);
    larger.set(run.log.subarray(0, run.logBytes));
    run.log = larger;
  }
  run.log.set(bytes, run.logBytes);
  run.logBytes += bytes.length;
}

/** Whoever gets a GPU must not meet whoever had it. */
function checkGpus(run: Run): void {
  for (const uuid of run.gpus) {
    let usedMib = run.work.gpuMemoryMib ?? present.gpuMemoryMib;
    const met: string[] = [];
    for (const other of present.runs.values()) {
      if (other.machine !== run.machine || other.pids.size === 0 || !other.gpus.includes(uuid)) continue;
      usedMib += other.work.gpuMemoryMib ?? present.gpuMemoryMib;
      met.push(other.attempt);
    }
    if (usedMib > present.gpuMemoryMib)
      kernel().violate("a GPU is held once", `${run.attempt} meets ${met.join(", ")} on ${uuid}`);
  }
}

/**
 * The jobs of one fault: submitted at random moments while it lasts, ended as planned, waited for, and checked at the end.
 * Owns: what was submitted under which id. Every submission has a key, and is asked again until it is answered.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "@nexus/shared/api/schemas";
import { isFinal, type JobEvent, type JobState, nextJobState } from "@nexus/shared/machines/job";
import { beaconJob, type ChaosJob, drawJob, probeJob, shortJob, specOf } from "./chaos-job.ts";
import { checkLog } from "./check-log.ts";
import type { House } from "./house.ts";
import { pause } from "./pause.ts";
import type { SeededRandom } from "./seeded-random.ts";

export type Losses = {
  jobs: number;
  jobsLost: number;
  startedTwice: number;
  wrongStates: number;
  bytesLost: number;
  bytesDoubled: number;
  /** What is wrong, a sentence each. */
  findings: string[];
};

type Submitted = { job: ChaosJob; id: string };

const PROBE_EVERY_MS = 20;
const LOG_TIMEOUT_MS = 60_000;
const CHECKS_AT_ONCE = 8;
const BATCH_MAX = 8;
const BURST = 30;

export class JobStream {
  readonly #submitted: Submitted[] = [];
  /** Attempts whose supervisor or processes were killed on purpose: nobody can know how they ended. */
  readonly orphaned = new Set<string>();
  readonly #ending: Promise<unknown>[] = [];
  readonly #beacons = new Map<string, Submitted>();
  #count = 0;

  readonly house: House;
  readonly options: { name: string; run: string; random: SeededRandom; longMs: number; isPatient: boolean };

  constructor(
    house: House,
    options: { name: string; run: string; random: SeededRandom; longMs: number; isPatient: boolean },
  ) {
    this.house = house;
    this.options = options;
  }

  /** One job a node that writes all the time. Resolves when each has begun. */
  async begin(): Promise<void> {
    await Promise.all(
      this.house.nodes.map(async ({ name }) => {
        const beacon = await this.#submit(beaconJob(this.#tag("beacon"), name));
        this.#beacons.set(name, beacon);
        await this.#until(
          `the log of ${beacon.job.tag} flows`,
          async () => (await this.#get(beacon.id)).logBytes > 0,
        );
      }),
    );
  }

  /** Submits `count` jobs, spread over the time until `isOver` and not later. */
  async submitAll(count: number, { overMs, isOver }: { overMs: number; isOver(): boolean }): Promise<void> {
    const { random } = this.options;
    const pauseMs = (overMs / count) * (BATCH_MAX / 2);
    for (let left = count; left > 0; ) {
      const batch = isOver() ? Math.min(left, 50) : Math.min(left, random.int(1, BATCH_MAX));
      left -= batch;
      const jobs = Array.from({ length: batch }, () => {
        return drawJob(random, this.#tag("j"), { longMs: this.options.longMs });
      });
      await this.#submitBatch(jobs);
      if (!isOver()) await pause(random.next() * 2 * pauseMs);
    }
  }

  /** Many short jobs at once, so that a strike a moment later falls among their starts. */
  burst(): void {
    const jobs = Array.from({ length: BURST }, () => shortJob(this.options.random, this.#tag("b")));
    this.#ending.push(this.#submitBatch(jobs));
  }

  /** How long after `healedAtMs` jobs run on these nodes and their logs flow. */
  async recovered(nodes: readonly string[], healedAtMs: number): Promise<number> {
    await Promise.all(nodes.flatMap((node) => [this.#jobsRun(node), this.#logsFlow(node)]));
    return performance.now() - healedAtMs;
  }

  async #jobsRun(node: string): Promise<void> {
    const probe = await this.#submit(probeJob(this.#tag("probe"), node), 1000);
    await this.#until(`${probe.job.tag} has run on ${node}`, async () => {
      const job = await this.#get(probe.id);
      return isFinal(job.state) && job.logBytes > 0;
    });
  }

  async #logsFlow(node: string): Promise<void> {
    const beacon = this.#beacons.get(node);
    if (!beacon) return;
    const written = this.#read("wrote", beacon.job.tag).length;
    await this.#until(`the log of ${beacon.job.tag} on ${node} flows`, async () => {
      const job = await this.#get(beacon.id);
      return isFinal(job.state) || job.logBytes >= written;
    });
  }

  async #until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + 180_000;
    while (!(await isSo())) {
      if (performance.now() > deadline) throw new Error(`waited 180 s in vain until ${what}`);
      await pause(PROBE_EVERY_MS);
    }
  }

  #get(id: string): Promise<Job> {
    return this.house.call("jobs.get", { job: id });
  }

  #tag(kind: string): string {
    this.#count += 1;
    return `${this.options.name}-${kind}${this.#count}`;
  }

  async #submit(job: ChaosJob, priority = 0): Promise<Submitted> {
    const [submitted] = await this.#submitBatch([job], priority);
    if (!submitted) throw new Error("nothing was submitted");
    return submitted;
  }

  async #submitBatch(drawn: ChaosJob[], priority = 0): Promise<Submitted[]> {
    const { folder } = this.house;
    const { run, isPatient } = this.options;
    const jobs = drawn.map((job) => ({ ...job, isPatient }));
    const answer = await this.house.call("jobs.submit", {
      jobs: jobs.map((job) => ({ ...specOf(job, { folder, run }), priority })),
      submitKey: `${run}-${jobs[0]?.tag}`,
    });
    const submitted = jobs.map((job, i) => ({ job, id: answer.jobs[i]?.id ?? "" }));
    this.#submitted.push(...submitted);
    for (const { job, id } of submitted) {
      if (job.end.kind === "cancelled" && job.end.afterMs > 0)
        this.#ending.push(this.#cancelAfter(id, job.end.afterMs));
    }
    return submitted;
  }

  async #cancelAfter(id: string, ms: number): Promise<void> {
    await pause(ms);
    await this.house.call("jobs.cancel", { jobs: [id] });
  }

  /** Ends the beacons and waits until every job has ended, as long as something still moves. */
  async settle(stillMs: number): Promise<void> {
    await Promise.all(this.#ending);
    for (const { id } of this.#beacons.values()) await this.house.call("jobs.cancel", { jobs: [id] });
    let leftBefore = -1;
    let movedAtMs = performance.now();
    for (;;) {
      const left = await this.#openCount();
      if (left === 0) return;
      if (left !== leftBefore) movedAtMs = performance.now();
      leftBefore = left;
      if (performance.now() - movedAtMs > stillMs) return;
      await pause(100);
    }
  }

  #openCount(): Promise<number> {
    return this.house.query(async (sql) => {
      const [row] = await sql<{ open: number }[]>`
        select (select count(*) from job where state in ('queued','assigned','starting','running','unreachable'))::int
          + (select count(*) from attempt where closed_at is null)::int as open`;
      return row?.open ?? 0;
    });
  }

  async check(): Promise<Losses> {
    const losses: Losses = {
      ...{ jobs: this.#submitted.length, jobsLost: 0, startedTwice: 0, wrongStates: 0 },
      ...{ bytesLost: 0, bytesDoubled: 0, findings: [] },
    };
    const todo = [...this.#submitted];
    await Promise.all(
      Array.from({ length: CHECKS_AT_ONCE }, async () => {
        for (let one = todo.pop(); one; one = todo.pop()) {
          try {
            await this.#checkJob(one, losses);
          } catch (error) {
            losses.jobsLost += 1;
            losses.findings.push(`${one.job.tag} (${one.id}): cannot be asked for: ${error}`);
          }
        }
      }),
    );
    return losses;
  }

  async #checkJob({ job: plan, id }: Submitted, losses: Losses): Promise<void> {
    const say = (what: string) => losses.findings.push(`${plan.tag} (${id}): ${what}`);
    const job = await this.#get(id);
    if (!isFinal(job.state)) {
      losses.jobsLost += 1;
      say(`is still ${job.state}`);
      return;
    }
    const isOrphaned = job.attempt !== null && this.orphaned.has(job.attempt);
    const wrong = wrongState(plan, job, isOrphaned);
    if (wrong !== null) {
      losses.wrongStates += 1;
      say(wrong);
    }
    await this.#checkHistory(job, say, losses);
    const starts = this.#read("starts", plan.tag).toString().split("\n").length - 1;
    if (starts > 1) {
      losses.startedTwice += 1;
      say(`was started ${starts} times`);
    }
    if (starts === 0 && ranToItsEnd(job)) {
      losses.jobsLost += 1;
      say(`is ${job.state} and never began`);
    }
    const log = await this.#log(id).catch((error: unknown) => {
      losses.jobsLost += 1;
      say(`its log cannot be read: ${error}`);
      return null;
    });
    if (log === null) return;
    const isWhole = ranToItsEnd(job) && !isOrphaned;
    const verdict = checkLog(plan, log, isWhole ? null : this.#read("wrote", plan.tag));
    losses.bytesLost += verdict.bytesLost;
    losses.bytesDoubled += verdict.bytesDoubled + verdict.bytesWrong;
    if (verdict.what !== null) say(`its log of ${log.length} bytes is not what it wrote: ${verdict.what}`);
    if (job.logBytes !== log.length)
      say(`the job says ${job.logBytes} bytes of log, there are ${log.length}`);
  }

  /** Who did what when must be told, step by step as the job's machine allows. */
  async #checkHistory(job: Job, say: (what: string) => void, losses: Losses): Promise<void> {
    const events = await this.house.call("jobs.events", { job: job.id });
    let state: JobState = "queued";
    for (const event of events) {
      if (event.actor === "") say(`its history does not say who did "${event.type}"`);
      // That its start left is no line of its own.
      if (state === "assigned" && event.state === "starting") state = "starting";
      const next = nextJobState(state, event.type as JobEvent);
      if (next === event.state) state = next;
      else if (event.state !== state) {
        losses.wrongStates += 1;
        say(`its history goes from ${state} by "${event.type}" to ${event.state}`);
        state = event.state;
      }
    }
    if (state !== job.state) {
      losses.wrongStates += 1;
      say(`its history ends in ${state}, it is ${job.state}`);
    }
  }

  async #log(id: string): Promise<Buffer> {
    const signal = AbortSignal.timeout(LOG_TIMEOUT_MS);
    const response = await this.house.nexus.fetch(`/api/v1/jobs/${id}/log?follow=1&offset=0`, { signal });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    return Buffer.from(await response.arrayBuffer());
  }

  #read(what: "starts" | "wrote", tag: string): Buffer {
    const path = join(this.house.folder, what, tag);
    return existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  }
}

/** All of its lines are due. */
function ranToItsEnd(job: Job): boolean {
  return job.state === "succeeded" || (job.state === "failed" && job.exitCode !== null);
}

function wrongState(plan: ChaosJob, job: Job, isOrphaned: boolean): string | null {
  const byItself =
    (plan.exitCode === 0 && job.state === "succeeded") ||
    (plan.exitCode !== 0 && job.state === "failed" && job.exitCode === plan.exitCode);
  // A person may be too late with a cancel, and a job with a timeout too fast for it.
  if (byItself) return null;
  if (plan.end.kind !== "itself" && job.state === plan.end.kind) return null;
  if (isOrphaned && job.state === "failed" && job.exitCode === null && job.message !== null) return null;
  const how = `${job.exitCode ?? job.signal ?? "no exit code"}, ${JSON.stringify(job.message)}`;
  return `is ${job.state} (${how}), and should have ended ${plan.end.kind === "itself" ? `with ${plan.exitCode}` : plan.end.kind}`;
}

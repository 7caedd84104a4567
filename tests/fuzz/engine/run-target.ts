/**
 * Feeds one target: first what is kept, then what is made from it. Owns the inputs found so far in this run. An input that went a
 * new way through our code joins those that others are made from; a finding is cut down while it stays a finding. Refuses nothing:
 * whatever a target throws, and whatever is thrown or rejected behind its back meanwhile, is told with the input.
 */
import { Script } from "node:vm";
import { type SeededRandom, seededRandom } from "../../chaos/seeded-random.ts";
import { readCorpus } from "./corpus.ts";
import { startCoverage } from "./coverage.ts";
import type { FuzzTarget, OpenTarget } from "./fuzz-target.ts";
import { mutateBytes } from "./mutate-bytes.ts";
import { type Json, mutateJson } from "./mutate-json.ts";

export type FuzzOrder = {
  target: FuzzTarget;
  seed: number;
  /** What ends the run: time, or inputs; what is kept is fed in any case. */
  timeMs: number;
  inputsMax: number;
  /** By what runs of our code: each question costs more than most inputs. */
  isGuided: boolean;
  findingsMax?: number;
  onNewWay?: (input: Uint8Array) => void;
};

export type Finding = { input: Uint8Array; problem: string };
export type FuzzReport = {
  inputs: number;
  ways: number;
  pool: number;
  slowestMs: number;
  findings: Finding[];
};

const SHRINK_TRIES = 500;
const SHRINK_MS = 5_000;
const TEXT_ONE_IN = 6;

export async function runTarget(order: FuzzOrder): Promise<FuzzReport> {
  const { target, findingsMax = 1 } = order;
  const random = seededRandom(order.seed);
  const kept = readCorpus(target.name).map(({ input }) => input);
  const pool = [...target.seeds.map(toBytes), ...kept];
  const coverage = order.isGuided ? startCoverage() : null;
  const house = await openHouse(target);
  const report: FuzzReport = { inputs: 0, ways: 0, pool: 0, slowestMs: 0, findings: [] };
  const problems = new Set<string>();
  const until = performance.now() + order.timeMs;

  async function feed(input: Uint8Array): Promise<void> {
    const beganMs = performance.now();
    const problem = await house.feed(input);
    report.slowestMs = Math.max(report.slowestMs, performance.now() - beganMs);
    report.inputs += 1;
    if (problem === null || problems.has(kindOf(problem))) return;
    problems.add(kindOf(problem));
    report.findings.push({ input: await shrink(input, problem), problem });
  }

  async function shrink(input: Uint8Array, problem: string): Promise<Uint8Array> {
    let best = input;
    const untilMs = performance.now() + SHRINK_MS;
    let part = Math.ceil(best.length / 2);
    let left = SHRINK_TRIES;
    for (; left > 0 && part >= 1 && performance.now() < untilMs; part = Math.floor(part / 2)) {
      for (let at = 0; at < best.length && left > 0 && performance.now() < untilMs; left -= 1) {
        const less = Uint8Array.from(Buffer.concat([best.subarray(0, at), best.subarray(at + part)]));
        const still = await house.feed(less);
        if (still !== null && kindOf(still) === kindOf(problem)) best = less;
        else at += part;
      }
    }
    return best;
  }

  try {
    const given = pool.length;
    for (let at = 0; at < given && report.findings.length < findingsMax; at += 1) {
      await feed(pool[at] as Uint8Array);
      coverage?.isNew();
    }
    for (let made = 0; made < order.inputsMax && performance.now() < until; made += 1) {
      if (report.findings.length >= findingsMax) break;
      const input = mutate(random, pool, target);
      await feed(input);
      if (!coverage?.isNew()) continue;
      pool.push(input);
      order.onNewWay?.(input);
    }
  } finally {
    report.ways = coverage?.ways ?? 0;
    report.pool = pool.length;
    coverage?.close();
    await house.close();
  }
  return report;
}

/** What broke, without the numbers and names that differ from input to input. */
function kindOf(problem: string): string {
  return (problem.split("\n")[0] ?? "")
    .replace(/"[^"]*"|'[^']*'|\d+|[a-z]+_[0-9a-z]{8,}/g, "…")
    .slice(0, 120);
}

function mutate(random: SeededRandom, pool: readonly Uint8Array[], target: FuzzTarget): Uint8Array {
  const { words = [], bytesMax } = target;
  const input = random.pick(pool);
  const other = random.pick(pool);
  if (target.format !== "json" || random.int(1, TEXT_ONE_IN) === 1)
    return mutateBytes(input, { random, words, other, bytesMax });
  const bytes = asBytes(mutateJson(parsed(input), { random, words, other: parsed(other) })) ?? input;
  return bytes.length > bytesMax ? bytes.subarray(0, bytesMax) : bytes;
}

function parsed(bytes: Uint8Array): Json {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return Buffer.from(bytes).toString();
  }
}

/** Nests within nests can become too deep to be written down. */
function asBytes(value: Json): Uint8Array | null {
  try {
    return toBytes(JSON.stringify(value));
  } catch (cause) {
    if (cause instanceof RangeError) return null;
    throw cause;
  }
}

function toBytes(seed: string | Uint8Array | Json): Uint8Array {
  if (seed instanceof Uint8Array) return Uint8Array.from(seed);
  return Uint8Array.from(Buffer.from(typeof seed === "string" ? seed : JSON.stringify(seed)));
}

/** The target while it is open, and everything that goes wrong in this process meanwhile. */
async function openHouse(target: FuzzTarget) {
  const { limits, inputsPerOpen = Number.POSITIVE_INFINITY } = target;
  const astray: unknown[] = [];
  const note = (cause: unknown) => void astray.push(cause);
  const others = {
    uncaughtException: [] as NodeJS.UncaughtExceptionListener[],
    unhandledRejection: [] as NodeJS.UnhandledRejectionListener[],
  };
  others.uncaughtException = process.listeners("uncaughtException");
  others.unhandledRejection = process.listeners("unhandledRejection");
  process.removeAllListeners("uncaughtException");
  process.removeAllListeners("unhandledRejection");
  process.on("uncaughtException", note);
  process.on("unhandledRejection", note);
  let open = await target.open();
  let fed = 0;

  return {
    /** @returns what was wrong, or null. */
    async feed(input: Uint8Array): Promise<string | null> {
      if (fed >= inputsPerOpen) {
        await open.close();
        open = await target.open();
        fed = 0;
      }
      fed += 1;
      const heapBytes = heldBytes();
      try {
        await feedWithin(open, input, limits.timeMs);
      } catch (cause) {
        return sentence(cause);
      }
      if (astray.length > 0) return `not caught: ${astray.splice(0).map(sentence).join("; ")}`;
      const grownBytes = heldBytes() - heapBytes;
      return grownBytes > limits.heapBytes ? `holds ${grownBytes} bytes more than before` : null;
    },
    async close(): Promise<void> {
      await open.close();
      process.off("uncaughtException", note);
      process.off("unhandledRejection", note);
      for (const listener of others.uncaughtException) process.on("uncaughtException", listener);
      for (const listener of others.unhandledRejection) process.on("unhandledRejection", listener);
    },
  };
}

function heldBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

declare global {
  var nexusFuzzFeed: (() => void | Promise<void>) | undefined;
}
const FEED = new Script("nexusFuzzFeed()");
/** The limit is of processor time, as this machine may be busy; who never ends is stopped by the clock. */
const PATIENCE = 15;

/** What runs in one go is stopped by V8 itself; what waits is waited for in vain. */
async function feedWithin(open: OpenTarget, input: Uint8Array, timeMs: number): Promise<void> {
  globalThis.nexusFuzzFeed = () => open.feed(input);
  const before = process.cpuUsage();
  const work: unknown = FEED.runInThisContext({ timeout: timeMs * PATIENCE });
  const { user, system } = process.cpuUsage(before);
  const usedMs = (user + system) / 1000;
  if (usedMs > timeMs)
    throw new Error(`took ${usedMs.toFixed(0)} ms of the processor, where ${timeMs} are allowed`);
  if (!(work instanceof Promise)) return;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no end within ${timeMs} ms`)), timeMs * PATIENCE);
  await Promise.race([work, late.promise]).finally(() => clearTimeout(timer));
}

function sentence(cause: unknown): string {
  return cause instanceof Error ? `${cause.name}: ${cause.message}\n${cause.stack ?? ""}` : String(cause);
}

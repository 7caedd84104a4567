/**
 * `node log-store.bench.ts`: appends through the store against a bare write loop in the same run, in megabytes a second.
 * What counts is the ratio; files are page cache in both, as they are for the control plane between syncs.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSegmentLogStore } from "./segment-log-store.ts";

const CHUNK_BYTES = 256 * 1024;
const ATTEMPTS = 8;
const CHUNKS_EACH = 512;
const ROUNDS = 5;
const TOTAL_MB = (CHUNK_BYTES * ATTEMPTS * CHUNKS_EACH) / 1e6;

const chunk = Buffer.alloc(
  CHUNK_BYTES,
  "epoch 12 step 3400 loss 0.1234 lr 3e-4 tokens/s 182044 grad 0.98 mem 71.2GiB eta 02:14:55 ok\n",
);
const attempts = Array.from({ length: ATTEMPTS }, (_, n) => `a_${String(n).padStart(10, "0")}`);

/** One file an attempt, the same chunks at the same time, nothing else. */
async function floor(folder: string): Promise<void> {
  mkdirSync(folder);
  await Promise.all(
    attempts.map(async (attempt) => {
      const file = await open(join(folder, attempt), "w");
      for (let n = 0; n < CHUNKS_EACH; n++) await file.write(chunk, 0, CHUNK_BYTES, n * CHUNK_BYTES);
      await file.close();
    }),
  );
}

async function throughStore(root: string): Promise<void> {
  const store = createSegmentLogStore({ root });
  await Promise.all(
    attempts.map(async (attempt) => {
      let size = 0;
      for (let n = 0; n < CHUNKS_EACH; n++) size = await store.append(attempt, size, chunk);
    }),
  );
  await store.close();
}

const tailMs = async (root: string, lines: number) => {
  const store = createSegmentLogStore({ root });
  const times: number[] = [];
  for (const attempt of [attempts[0] ?? "", attempts[0] ?? ""]) {
    const startedMs = performance.now();
    await store.tailOffset(attempt, lines);
    times.push(performance.now() - startedMs);
  }
  await store.close();
  return times.map((ms) => ms.toFixed(1)).join(" then ");
};

async function megabytesPerSecond(work: (folder: string) => Promise<void>, folder: string): Promise<number> {
  const startedMs = performance.now();
  await work(folder);
  return TOTAL_MB / ((performance.now() - startedMs) / 1000);
}

function spread(values: number[]): string {
  const sorted = values.toSorted((a, b) => a - b).map(Math.round);
  return `${sorted[sorted.length >> 1]} MB/s [${sorted[0]} .. ${sorted.at(-1)}]`;
}

const base = mkdtempSync(join(tmpdir(), "nexus-log-bench-"));
const [floors, stores] = [[] as number[], [] as number[]];
let tails = "";
for (let round = 0; round < ROUNDS; round++) {
  const folder = join(base, String(round));
  mkdirSync(folder);
  floors.push(await megabytesPerSecond(floor, join(folder, "floor")));
  stores.push(await megabytesPerSecond(throughStore, join(folder, "store")));
  tails = `${await tailMs(join(folder, "store"), 1000)} ms for 1,000 lines, ${await tailMs(join(folder, "store"), 1_000_000)} ms for 1,000,000`;
  rmSync(folder, { recursive: true });
}
rmSync(base, { recursive: true });
const ratio = stores.reduce((sum, value, round) => sum + value / (floors[round] ?? value), 0) / ROUNDS;
process.stdout.write(
  [
    `${ATTEMPTS} attempts, ${CHUNKS_EACH} chunks of 256 KiB each, ${ROUNDS} rounds`,
    `bare write loop  ${spread(floors)}`,
    `log store        ${spread(stores)}  (${ratio.toFixed(2)} of the loop)`,
    `tail of 128 MiB  ${tails}`,
    "",
  ].join("\n"),
);

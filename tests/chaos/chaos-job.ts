/**
 * The jobs of a chaos run: what each one is, the script it runs, and the bytes that it must have written.
 *
 * A line is `<tag> <number> <sum> <padding>`; the sum is carried from line to line, so that a lost, doubled or torn line
 * is known by its own text. A job leaves traces outside of Nexus, in the run's folder: `starts/<tag>` gets a line at each
 * start, `wrote/<tag>` a copy of each line after it went to the log, `gpus/<uuid>` is held while it uses a GPU.
 */
import type { InputOf } from "@nexus/shared/api/contract";
import type { SeededRandom } from "./seeded-random.ts";

export type ChaosJob = {
  tag: string;
  lines: number;
  seed: number;
  /** Lines that are written at once, and the pause after them. */
  burst: number;
  pauseMs: number;
  exitCode: number;
  gpus: number;
  gpuMemoryMib: number | null;
  end: { kind: "itself" } | { kind: "cancelled"; afterMs: number } | { kind: "timed_out"; afterMs: number };
  /** Written by Node, which can go on in mid-line where a disk was full. */
  isPatient: boolean;
  target: string | null;
};

const SUM_MODULUS = 1_000_003;
const PADDING = "the quick brown fox jumps over the lazy dog and runs on through the night ";

export function drawJob(random: SeededRandom, tag: string, limits: { longMs: number }): ChaosJob {
  const kind = random.next();
  const base: ChaosJob = {
    tag,
    seed: random.int(1, 900_000),
    ...{ lines: 0, burst: 1, pauseMs: 0, exitCode: random.next() < 0.8 ? 0 : random.int(1, 120) },
    ...{ gpus: 0, gpuMemoryMib: null, end: { kind: "itself" }, isPatient: false, target: null },
  };
  const gpu = random.next() < 0.3 ? { gpus: random.int(1, 2) } : {};
  const memory = "gpus" in gpu && random.next() < 0.5 ? { gpuMemoryMib: random.int(1, 30) * 1024 } : {};
  const withGpu = { ...base, ...gpu, ...memory };
  // Most jobs are short, as in a real queue; the long ones are those that faults hit.
  if (kind < 0.15) return withGpu;
  if (kind < 0.6) return { ...withGpu, lines: random.int(1, 60), burst: 20, pauseMs: 10 };
  if (kind < 0.7) return { ...withGpu, lines: random.int(500, 4_000), burst: 4_000 };
  const ms = random.int(500, limits.longMs);
  const paced = { ...withGpu, lines: Math.ceil(ms / 25), burst: 5, pauseMs: 125 };
  if (kind < 0.92) return paced;
  const afterMs = random.int(200, 3_000);
  if (kind < 0.97) return { ...paced, end: { kind: "cancelled", afterMs } };
  return { ...paced, lines: 2_000, end: { kind: "timed_out", afterMs: 1_000 + afterMs } };
}

/** A few lines and over. */
export function shortJob(random: SeededRandom, tag: string): ChaosJob {
  return { ...probeJob(tag, null), lines: random.int(0, 5), seed: random.int(1, 900_000) };
}

/** One that writes a line every tenth of a second, to see when logs flow again. */
export function beaconJob(tag: string, target: string): ChaosJob {
  return {
    tag,
    ...{ lines: 1_000_000, seed: 7, burst: 1, pauseMs: 100, exitCode: 0, gpus: 0, gpuMemoryMib: null },
    ...{ end: { kind: "cancelled", afterMs: 0 }, isPatient: false, target },
  };
}

/** One line at once, to see when jobs run again. */
export function probeJob(tag: string, target: string | null): ChaosJob {
  return {
    tag,
    ...{ lines: 1, seed: 11, burst: 1, pauseMs: 0, exitCode: 0, gpus: 0, gpuMemoryMib: null },
    ...{ end: { kind: "itself" }, isPatient: false, target },
  };
}

function lineOf(job: ChaosJob, number: number, sum: number): string {
  return `${job.tag} ${number} ${sum} ${PADDING.slice(number % 7)}\n`;
}

export function* linesOf(job: ChaosJob): Generator<string> {
  let sum = job.seed;
  for (let number = 1; number <= job.lines; number += 1) {
    sum = (sum * 31 + number) % SUM_MODULUS;
    yield lineOf(job, number, sum);
  }
}

/** The submission. `run` marks every process of this run. */
export function specOf(
  job: ChaosJob,
  place: { folder: string; run: string },
): InputOf<"jobs.submit">["jobs"][number] {
  return {
    command: job.isPatient ? [process.execPath, "-e", PATIENT_SCRIPT] : ["/bin/sh", "-c", SHELL_SCRIPT],
    name: job.tag,
    env: {
      CHAOS_RUN: place.run,
      CHAOS_FOLDER: place.folder,
      CHAOS_TAG: job.tag,
      CHAOS_LINES: String(job.lines),
      CHAOS_SUM: String(job.seed),
      CHAOS_BURST: String(job.burst),
      CHAOS_PAUSE: String(job.pauseMs / 1000),
      CHAOS_EXIT: String(job.exitCode),
      ...(job.gpus > 0 && job.gpuMemoryMib === null ? { CHAOS_WHOLE: "1" } : {}),
    },
    gpus: job.gpus,
    ...(job.gpuMemoryMib === null ? {} : { gpuMemoryMib: job.gpuMemoryMib }),
    ...(job.end.kind === "timed_out" ? { timeoutMs: job.end.afterMs } : {}),
    ...(job.target === null ? {} : { target: job.target }),
    graceMs: 2_000,
  };
}

/**
 * POSIX sh. A pause is a sleep, the only program that it runs. Whole GPUs are held by name for as long as it lives: who
 * finds the holder of its GPU alive writes that down. A holder is a process id and when that began, since a process id is
 * soon another's on a busy machine. (GPUs shared by memory are not held.) A shell's own remarks on its end are no lines of
 * the job.
 */
const SHELL_SCRIPT = `
exec 2>/dev/null
echo "$NEXUS_ATTEMPT_ID $$" >>"$CHAOS_FOLDER/starts/$CHAOS_TAG"
if [ -n "$CHAOS_WHOLE" ]; then
  began() {
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return
    set -- \${stat##*) }
    # What was killed is over, also while nobody has taken note of it.
    case $1 in Z | X) ;; *) echo "\${20}" ;; esac
  }
  own="$$ $(began "$$")"
  for uuid in $(echo "$CUDA_VISIBLE_DEVICES" | tr , ' '); do
    held="$CHAOS_FOLDER/gpus/$uuid"
    if ! (set -C; echo "$own" >"$held") 2>/dev/null; then
      holder= since=
      read -r holder since <"$held"
      if [ -n "$since" ] && [ "$(began "$holder")" = "$since" ]; then
        echo "$uuid $CHAOS_TAG $holder" >>"$CHAOS_FOLDER/gpu-twice"
      fi
      echo "$own" >"$held"
    fi
  done
  release() { for uuid in $(echo "$CUDA_VISIBLE_DEVICES" | tr , ' '); do rm -f "$CHAOS_FOLDER/gpus/$uuid"; done; }
  trap release EXIT
  trap 'exit 143' TERM
fi
padding='${PADDING}'
n=0
sum=$CHAOS_SUM
while [ "$n" -lt "$CHAOS_LINES" ]; do
  n=$((n + 1))
  sum=$(((sum * 31 + n) % ${SUM_MODULUS}))
  cut=$((n % 7)); rest=$padding
  while [ "$cut" -gt 0 ]; do rest=\${rest#?}; cut=$((cut - 1)); done
  line="$CHAOS_TAG $n $sum $rest"
  echo "$line"
  echo "$line" >&3
  if [ $((n % CHAOS_BURST)) -eq 0 ] && [ "$CHAOS_PAUSE" != 0 ]; then sleep "$CHAOS_PAUSE"; fi
done 3>>"$CHAOS_FOLDER/wrote/$CHAOS_TAG"
exit "$CHAOS_EXIT"
`;

/** The same lines. A write that found no room is tried again from the byte where it stopped. */
const PATIENT_SCRIPT = `
const fs = require("node:fs");
const { CHAOS_FOLDER: folder, CHAOS_TAG: tag, ...env } = process.env;
fs.appendFileSync(folder + "/starts/" + tag, env.NEXUS_ATTEMPT_ID + " " + process.pid + "\\n");
const wait = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
const copy = fs.openSync(folder + "/wrote/" + tag, "a");
let sum = Number(env.CHAOS_SUM);
for (let n = 1; n <= Number(env.CHAOS_LINES); n += 1) {
  sum = (sum * 31 + n) % ${SUM_MODULUS};
  let rest = Buffer.from(tag + " " + n + " " + sum + " " + ${JSON.stringify(PADDING)}.slice(n % 7) + "\\n");
  fs.writeSync(copy, rest);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(fs.writeSync(1, rest));
    } catch (error) {
      if (error.code !== "ENOSPC") throw error;
      wait(50);
    }
  }
  if (n % Number(env.CHAOS_BURST) === 0) wait(Number(env.CHAOS_PAUSE) * 1000);
}
process.exit(Number(env.CHAOS_EXIT));
`;

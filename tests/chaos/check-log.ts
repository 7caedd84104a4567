import { type ChaosJob, linesOf } from "./chaos-job.ts";

export type LogVerdict = { bytesLost: number; bytesDoubled: number; bytesWrong: number; what: string | null };

const CLEAN: LogVerdict = { bytesLost: 0, bytesDoubled: 0, bytesWrong: 0, what: null };

/**
 * Compares a log with what the job wrote.
 * @param wrote its own copy, where it was ended from outside; null where it ran to its end and all its lines are due. A job
 * may be ended between a line and its copy: one line more in the log is right. A patient one copies first, and may be ended while
 * it waits for room in mid-line.
 */
export function checkLog(job: ChaosJob, log: Buffer, wrote: Buffer | null): LogVerdict {
  const lines = linesOf(job);
  const due: string[] = [];
  if (wrote === null) due.push(...lines);
  else {
    const copied = wrote.toString().split("\n").length - 1;
    for (let i = 0; i < copied; i += 1) due.push(lines.next().value ?? "");
  }
  const expected = Buffer.from(due.join(""));
  if (log.equals(expected)) return CLEAN;
  if (wrote !== null) {
    const isCutInLast =
      expected.subarray(0, log.length).equals(log) &&
      log.length >= expected.length - Buffer.byteLength(due.at(-1) ?? "");
    if (job.isPatient && isCutInLast) return CLEAN;
    const more = lines.next();
    if (!more.done && log.equals(Buffer.concat([expected, Buffer.from(more.value)]))) return CLEAN;
  }
  return compare(due, log.toString("latin1"));
}

function compare(due: readonly string[], log: string): LogVerdict {
  const dueOnce = new Set(due);
  const seen = new Set<string>();
  let bytesDoubled = 0;
  let bytesWrong = 0;
  let firstWrong: string | null = null;
  for (const line of log.split(/(?<=\n)/)) {
    if (seen.has(line)) bytesDoubled += line.length;
    else if (dueOnce.has(line)) seen.add(line);
    else {
      bytesWrong += line.length;
      firstWrong ??= line.slice(0, 120);
    }
  }
  const lost = due.filter((line) => !seen.has(line));
  const bytesLost = lost.reduce((sum, line) => sum + line.length, 0);
  const parts = [
    lost.length > 0
      ? `${lost.length} lines are missing, the first: ${JSON.stringify(lost[0]?.slice(0, 60))}`
      : "",
    bytesDoubled > 0 ? `${bytesDoubled} bytes came twice` : "",
    firstWrong === null ? "" : `a line that the job never wrote: ${JSON.stringify(firstWrong)}`,
    bytesLost + bytesDoubled + bytesWrong === 0 ? "its lines stand in another order" : "",
  ];
  return { bytesLost, bytesDoubled, bytesWrong, what: parts.filter((part) => part !== "").join("; ") };
}

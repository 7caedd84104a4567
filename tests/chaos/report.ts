import type { ChaosReport, ChaosRow } from "./run-chaos.ts";

const HEAD = [
  "fault",
  "jobs",
  "strikes",
  "lost",
  "twice",
  "wrong state",
  "bytes lost",
  "doubled",
  "recovery p50",
  "max",
  "limit",
  "findings",
];

/** The table of a run, for people. */
export function chaosTable({ rows }: ChaosReport): string {
  const lines = [
    HEAD,
    ...rows.map((row) => (row.skipped === null ? cellsOf(row) : [row.fault, row.skipped])),
  ];
  const widths = HEAD.map((_, i) =>
    Math.max(...lines.filter((cells) => cells.length > 2).map((cells) => cells[i]?.length ?? 0)),
  );
  return lines
    .map((cells) =>
      cells
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join("  "),
    )
    .join("\n");
}

function cellsOf(row: ChaosRow): string[] {
  const { fault, jobs, rounds, jobsLost, startedTwice, wrongStates, bytesLost, bytesDoubled } = row;
  const counts = [jobs, rounds, jobsLost, startedTwice, wrongStates, bytesLost, bytesDoubled].map(String);
  const times = [medianOf(row.recoveriesMs), Math.max(...row.recoveriesMs), row.recoveryMsMax].map(seconds);
  return [fault, ...counts, ...times, String(row.findings.length)];
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}

function seconds(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1000).toFixed(2)} s` : "-";
}

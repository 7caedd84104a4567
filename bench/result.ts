import { type BenchCase, isRate, type Sample } from "./bench-case.ts";
import type { Machine } from "./machine.ts";
import { type Summary, summarize } from "./statistics.ts";

/** What `results.json` holds: the last run that measured everything, and the machine it ran on. */
export type Result = { measuredAt: string; machine: Machine; rows: Row[]; absent: Absent[] };

export type Row = Summary & {
  name: string;
  unit: string;
  /** Own p50 divided by the p50 of `floor`, from the same run. */
  ratio?: number;
  floor?: string;
  /** Other work took more than a tenth of the machine when this was measured. */
  noisy?: true;
};

export type Absent = { name: string; reason: string };

/** What was measured of one case over all rounds. */
export type Measured = { bench: BenchCase; samples: Sample[]; isNoisy: boolean };

export function toRows(measured: Measured[]): Row[] {
  const medians = new Map(measured.map(({ bench, samples }) => [bench.name, summarize(samples).p50]));
  return measured.map(({ bench, samples, isNoisy }) => {
    const summary = summarize(samples);
    const floor = bench.floor === undefined ? undefined : medians.get(bench.floor);
    return {
      name: bench.name,
      unit: bench.unit,
      ...summary,
      ...(floor === undefined || bench.floor === undefined
        ? {}
        : { floor: bench.floor, ratio: summary.p50 / floor }),
      ...(isNoisy ? { noisy: true as const } : {}),
    };
  });
}

const HEADER = ["case", "unit", "n", "p50", "p99", "min .. max", "ratio"];

/** One aligned line a case. For rates p99 says nothing that min does not say better, and stays empty. */
export function formatTable({ rows, absent }: Pick<Result, "rows" | "absent">): string {
  const lines = rows.map((row) => [
    row.noisy ? `${row.name} (!)` : row.name,
    row.unit,
    String(row.count),
    digits(row.p50),
    isRate(row.unit as BenchCase["unit"]) ? "" : digits(row.p99),
    `${digits(row.min)} .. ${digits(row.max)}`,
    row.ratio === undefined ? "" : `${digits(row.ratio)} × ${row.floor}`,
  ]);
  const widths = HEADER.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)),
  );
  const format = (line: string[]) =>
    line
      .map((cell, column) =>
        column >= 2 && column <= 4 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd();
  const table = [format(HEADER), ...lines.map(format)];
  const notes = absent.map(({ name, reason }) => `${name}: not measured, ${reason}`);
  if (rows.some((row) => row.noisy))
    notes.unshift("(!) other work took part of the machine while this was measured");
  return [...table, "", ...notes].join("\n").trimEnd();
}

/** Three significant digits: more would be noise. */
function digits(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

/** A line of a few numbers as SVG: cheap enough for every cell of a table. Nulls break the line. */
type SparklineProps = { values: readonly (number | null)[]; max: number; label: string; className?: string };

export function Sparkline({ values, max, label, className }: SparklineProps) {
  return (
    <svg viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label={label} className={className}>
      <path d={areaPath(values, max)} fill="currentColor" opacity={0.14} />
      <path
        d={linePath(values, max)}
        fill="none"
        stroke="currentColor"
        strokeWidth={1.25}
        vectorEffect="non-scaling-stroke"
        strokeLinejoin="round"
      />
    </svg>
  );
}

type Point = readonly [x: number, y: number];

function runs(values: readonly (number | null)[], max: number): Point[][] {
  const out: Point[][] = [];
  let run: Point[] = [];
  const step = 100 / Math.max(1, values.length - 1);
  values.forEach((value, index) => {
    if (value === null) {
      if (run.length > 0) out.push(run);
      run = [];
    } else run.push([index * step, 23 - (Math.min(value, max) / max) * 22]);
  });
  if (run.length > 0) out.push(run);
  return out;
}

function linePath(values: readonly (number | null)[], max: number): string {
  return runs(values, max)
    .map((run) => `M${run.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`)
    .join("");
}

function areaPath(values: readonly (number | null)[], max: number): string {
  return runs(values, max)
    .map((run) => {
      const first = run[0]?.[0] ?? 0;
      const last = run.at(-1)?.[0] ?? 0;
      return `M${first} 24L${run.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}L${last} 24Z`;
    })
    .join("");
}

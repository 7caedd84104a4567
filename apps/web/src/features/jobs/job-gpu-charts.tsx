"use client";
import type { Job } from "@nexus/shared/api/schemas";
import { isFinal } from "@nexus/shared/machines/job";
import { type ReactNode, useMemo } from "react";
import { TimeChart, type TimeSeries } from "../../ui/chart/time-chart.tsx";
import { cx } from "../../ui/cx.ts";
import { HUE_FILL, HUES } from "../../ui/hue.ts";
import { Skeleton } from "../../ui/skeleton.tsx";
import { InlineProblem } from "../../ui/view-state.tsx";
import { useApiQuery } from "../api/api-context.tsx";
import { problemOf } from "../api/problem.ts";
import { gpuSeries } from "./gpu-series.ts";

const REFETCH_MS = 5000;
/** Six hues solid, then six dashed: sixteen lines are no chart, but eight must be told apart. */
const ORDER = ["active", "good", "wait", "odd", "bad", "idle"] as const;

/** Memory and utilisation of the job's GPUs while it ran. */
export function JobGpuCharts({ job }: { job: Job }) {
  const { data, error } = useApiQuery(
    "jobs.samples",
    { job: job.id },
    { refetchMs: isFinal(job.state) ? 0 : REFETCH_MS },
  );
  const series = useMemo(() => gpuSeries(data?.points ?? [], job.gpuUuids), [data, job.gpuUuids]);
  if (error && !data)
    return (
      <Frame>
        <InlineProblem problem={problemOf(error)} />
      </Frame>
    );
  if (!data)
    return (
      <Frame>
        <Skeleton className="h-28" />
      </Frame>
    );
  if (series.timesMs.length < 2) {
    return (
      <Frame>
        <p className="text-12 text-content-3">
          {isFinal(job.state) ? "It ran too short to be measured." : "The first samples are on their way."}
        </p>
      </Frame>
    );
  }
  const lines = (columns: (number | null)[][]): TimeSeries[] =>
    columns.map((values, index) => ({
      label: `GPU ${index}`,
      token: `--${ORDER[index % ORDER.length] ?? "active"}`,
      values,
      dashed: index >= ORDER.length,
    }));
  return (
    <Frame legend={series.uuids}>
      <ChartTitle>Memory, GiB</ChartTitle>
      <TimeChart
        label="GPU memory while the job ran"
        timesMs={series.timesMs}
        series={lines(series.memoryGib)}
        formatValue={(gib) => String(Math.round(gib * 10) / 10)}
        height={116}
        sync={job.id}
      />
      <ChartTitle>Utilisation, %</ChartTitle>
      <TimeChart
        label="GPU utilisation while the job ran"
        timesMs={series.timesMs}
        series={lines(series.utilizationPct)}
        formatValue={(percent) => `${Math.round(percent)}`}
        max={100}
        height={96}
        sync={job.id}
      />
    </Frame>
  );
}

function Frame({ children, legend = [] }: { children: ReactNode; legend?: string[] }) {
  return (
    <section className="border-b px-4 py-3">
      <header className="mb-1 flex items-baseline justify-between gap-2">
        <h2 className="text-12 font-medium text-content-3">GPUs</h2>
        {legend.length > 1 && (
          <ul className="flex flex-wrap gap-x-2.5 text-11 text-content-3">
            {legend.map((uuid, index) => (
              <li key={uuid} title={uuid} className="flex items-center gap-1">
                <span
                  aria-hidden
                  className={cx(
                    "h-0.5 w-3",
                    HUE_FILL[ORDER[index % HUES.length] ?? "active"],
                    index >= ORDER.length && "hatch",
                  )}
                />
                {index}
              </li>
            ))}
          </ul>
        )}
      </header>
      {children}
    </section>
  );
}

function ChartTitle({ children }: { children: string }) {
  return <h3 className="mt-1 text-11 text-content-3">{children}</h3>;
}

"use client";
/**
 * Lines over time on one uPlot canvas. Owns the plot's life: made when the series or the theme change, resized with its
 * box, fed new data in place. Charts with the same `sync` share their cursor.
 */
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { useTheme } from "../theme.ts";

export type TimeSeries = {
  label: string;
  /** A token: "--active". */
  token: string;
  values: (number | null)[];
  /** Dashed lines tell two series apart without colour. */
  dashed?: boolean;
};

export type TimeChartProps = {
  /** Epoch ms, ascending. */
  timesMs: number[];
  series: TimeSeries[];
  label: string;
  formatValue: (value: number) => string;
  max?: number;
  height?: number;
  sync?: string;
};

export function TimeChart({ timesMs, series, label, formatValue, max, height = 150, sync }: TimeChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const { resolved } = useTheme();
  const shape = series.map((one) => `${one.label}:${one.token}:${one.dashed ? 1 : 0}`).join("|");
  const data: uPlot.AlignedData = [timesMs.map((ms) => ms / 1000), ...series.map((one) => one.values)];
  const latest = useRef({ data, series, formatValue, max });
  latest.current = { data, series, formatValue, max };

  // biome-ignore lint/correctness/useExhaustiveDependencies: `shape` stands for the series, `resolved` for the token values.
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const made = new uPlot(
      plotOptions(element, { ...latest.current, height, sync }),
      latest.current.data,
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, resolved, height, sync]);

  useEffect(() => {
    plot.current?.setData(latest.current.data);
  });

  return (
    <div
      ref={box}
      role="img"
      aria-label={label}
      className="time-chart w-full min-w-0 overflow-hidden"
      style={{ height }}
    />
  );
}

type Drawn = Pick<TimeChartProps, "series" | "formatValue" | "max" | "height" | "sync">;

function plotOptions(element: HTMLElement, drawn: Drawn): uPlot.Options {
  const color = (token: string) => resolveToken(element, token);
  const axis: uPlot.Axis = {
    stroke: color("--content-3"),
    font: "11px Inter Variable, sans-serif",
    grid: { stroke: color("--border-1"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height: drawn.height ?? 150,
    padding: [8, 14, 0, 0],
    legend: { show: false },
    cursor: {
      points: { size: 6 },
      y: false,
      drag: { x: false, y: false },
      ...(drawn.sync ? { sync: { key: drawn.sync, setSeries: false } } : {}),
    },
    scales: {
      y: { range: (_, low, high) => [Math.min(0, low ?? 0), drawn.max ?? Math.max(1, (high ?? 1) * 1.1)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 26, space: 64, values: timeLabels },
      { ...axis, size: 36, space: 28, values: (_, ticks) => ticks.map(drawn.formatValue) },
    ],
    series: [
      {},
      ...drawn.series.map((one) => ({
        label: one.label,
        stroke: color(one.token),
        width: 1.5,
        points: { show: false },
        // Areas of several lines over each other would be mud.
        ...(drawn.series.length === 1 ? { fill: color(`${one.token}-soft`) } : {}),
        ...(one.dashed ? { dash: [4, 3] } : {}),
      })),
    ],
    plugins: [tooltipPlugin(drawn)],
  };
}

function timeLabels(_: uPlot, ticks: number[]): string[] {
  const spanS = (ticks.at(-1) ?? 0) - (ticks[0] ?? 0);
  return ticks.map((seconds) =>
    new Date(seconds * 1000).toLocaleTimeString(undefined, {
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
      ...(spanS < 300 ? { second: "2-digit" } : {}),
    }),
  );
}

/** Canvas does not know `light-dark()` or custom properties, so the browser is asked what a token is here and now. */
function resolveToken(element: HTMLElement, token: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${token})`;
  element.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

/** The values under the cursor. Text only, so a label can never become markup. */
function tooltipPlugin(drawn: Drawn): uPlot.Plugin {
  let tip: HTMLDivElement | null = null;
  return {
    hooks: {
      init: (plot) => {
        tip = document.createElement("div");
        tip.className = "time-chart-tip";
        plot.over.append(tip);
      },
      setCursor: (plot) => {
        const index = plot.cursor.idx;
        const hovered = plot.over.matches(":hover");
        if (!tip) return;
        tip.hidden = !hovered || index === null || index === undefined;
        if (tip.hidden || index === null || index === undefined) return;
        const lines = drawn.series.map((one, at) => {
          const value = plot.data[at + 1]?.[index];
          return `${one.label} ${value === null || value === undefined ? "no data" : drawn.formatValue(value)}`;
        });
        const time = new Date((plot.data[0][index] ?? 0) * 1000).toLocaleTimeString(undefined, {
          hourCycle: "h23",
        });
        tip.textContent = [time, ...lines].join("\n");
        const left = plot.cursor.left ?? 0;
        tip.style.left = left > plot.over.clientWidth / 2 ? "" : `${left + 12}px`;
        tip.style.right = left > plot.over.clientWidth / 2 ? `${plot.over.clientWidth - left + 12}px` : "";
      },
    },
  };
}

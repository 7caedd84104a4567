"use client";
import type { Gpu } from "@nexus/shared/api/schemas";
import { Ban, SquareSlash } from "lucide-react";
import Link from "next/link";
import { memo } from "react";
import { Sparkline } from "../../ui/chart/sparkline.tsx";
import { cx } from "../../ui/cx.ts";
import { gibNumber } from "../../ui/format.ts";
import { Meter } from "../../ui/meter.tsx";
import { Popover } from "../../ui/popover.tsx";
import { GpuDetails } from "./gpu-details.tsx";
import { gpuTenancy, type Tenancy } from "./gpu-tenancy.ts";

type GpuCellProps = { target: string; gpu: Gpu; history: readonly (number | null)[] | undefined };

/** One GPU: how busy, how full, how warm, whose. */
export const GpuCell = memo(function GpuCell({ target, gpu, history }: GpuCellProps) {
  const tenancy = gpuTenancy(gpu);
  const sample = gpu.sample;
  return (
    <div
      className={cx(
        "tabular relative flex min-w-0 flex-col gap-1.5 overflow-hidden rounded-md border bg-surface-0 p-2.5",
        gpu.blocked && "hatch",
      )}
    >
      <div className="flex items-baseline justify-between gap-2 text-11 text-content-3">
        <Popover
          label={`GPU ${gpu.index}`}
          trigger={
            // The whole cell is its button; the tenant's link lies above it.
            <button
              type="button"
              className="truncate font-medium text-content-2 after:absolute after:inset-0 after:rounded-md hover:after:bg-accent-soft"
            >
              GPU {gpu.index}
            </button>
          }
        >
          <GpuDetails gpu={gpu} target={target} />
        </Popover>
        <span className="whitespace-nowrap">
          {sample?.temperatureC != null && `${Math.round(sample.temperatureC)}°`}
          {sample?.powerW != null && ` ${Math.round(sample.powerW)} W`}
        </span>
      </div>
      <div className="flex items-end gap-2">
        <span className="text-20 leading-6 font-semibold tracking-tight">
          {sample?.utilizationPct == null ? "–" : Math.round(sample.utilizationPct)}
          <span className="text-12 font-normal text-content-3">
            {sample?.utilizationPct == null ? "" : "%"}
          </span>
        </span>
        {history && history.length > 1 && (
          <Sparkline
            values={history}
            max={100}
            label={`Utilisation of GPU ${gpu.index} of late`}
            className="h-6 min-w-0 flex-1 text-active"
          />
        )}
      </div>
      <Meter label={memoryLabel(gpu)} parts={meterParts(tenancy)} />
      <div className="flex items-baseline justify-between gap-2 text-11">
        <Tenant gpu={gpu} tenancy={tenancy} />
        <span className="shrink-0 whitespace-nowrap text-content-3">
          {sample?.memoryUsedMib == null ? "–" : gibNumber(sample.memoryUsedMib)}
          {gpu.memoryTotalMib !== null && `/${gibNumber(gpu.memoryTotalMib)} G`}
        </span>
      </div>
    </div>
  );
});

function meterParts(tenancy: Tenancy) {
  return [
    { part: tenancy.jobsPart, hue: "active" as const },
    { part: tenancy.foreignPart, hue: "odd" as const, hatched: true },
    { part: tenancy.otherPart, hue: "idle" as const },
  ];
}

export function memoryLabel(gpu: Gpu): string {
  const used = gpu.sample?.memoryUsedMib;
  if (used == null || gpu.memoryTotalMib === null) return `GPU ${gpu.index}: memory use not known`;
  return `GPU ${gpu.index}: ${gibNumber(used)} of ${gibNumber(gpu.memoryTotalMib)} GiB memory used`;
}

function Tenant({ gpu, tenancy }: { gpu: Gpu; tenancy: Tenancy }) {
  const [holder, ...others] = gpu.holders;
  if (gpu.blocked) {
    return (
      <span className="flex min-w-0 items-center gap-1 truncate text-wait">
        <Ban aria-hidden className="size-3 shrink-0" /> blocked
      </span>
    );
  }
  if (holder) {
    return (
      <Link
        href={`/jobs/${holder.job}`}
        title={gpu.holders.map((one) => `${one.user}: ${one.job}`).join("\n")}
        className="relative z-10 min-w-0 truncate font-medium text-active hover:underline"
      >
        {holder.user}
        {others.length > 0 && ` +${others.length}`}
      </Link>
    );
  }
  if (tenancy.foreign.length > 0) {
    return (
      <span
        className="flex min-w-0 items-center gap-1 text-odd"
        title={`Outside Nexus: ${tenancy.foreign.join(", ")}`}
      >
        <SquareSlash aria-label="outside Nexus" className="size-3 shrink-0" />
        <span className="truncate">{tenancy.foreign.join(", ")}</span>
      </span>
    );
  }
  if (!gpu.schedulable) return <span className="truncate text-content-3">in MIG mode</span>;
  return <span className="text-content-3">{gpu.sample ? "free" : "no data"}</span>;
}

import Link from "next/link";
import type { ReactNode } from "react";
import { formatCount, gibNumber } from "../../ui/format.ts";
import { Meter } from "../../ui/meter.tsx";
import { type FleetState, fleetTotals } from "../live/fleet-state.ts";

/** The fleet in six numbers. */
export function FleetTotalsBar({ fleet }: { fleet: FleetState }) {
  const totals = fleetTotals(fleet.targets);
  const memoryPart = totals.memoryTotalMib === 0 ? 0 : totals.memoryUsedMib / totals.memoryTotalMib;
  return (
    <dl className="grid grid-cols-6 overflow-hidden rounded-lg border bg-surface-1 narrow:grid-cols-3 [&>div]:border-l [&>div]:-ml-px narrow:[&>div:nth-child(n+4)]:border-t">
      <Total label="Targets">
        {totals.connected}
        <Of>
          of {totals.targets}
          <span className="narrow:hidden"> connected</span>
        </Of>
      </Total>
      <Total label="GPUs in use">
        {totals.gpusBusy}
        <Of>of {totals.gpus}</Of>
      </Total>
      <Total
        label="Utilisation"
        meter={
          <Meter
            label="Mean utilisation"
            parts={[{ part: (totals.utilizationPct ?? 0) / 100, hue: "active" }]}
          />
        }
      >
        {totals.utilizationPct === null ? "–" : Math.round(totals.utilizationPct)}
        <Of>%</Of>
      </Total>
      <Total
        label="GPU memory"
        meter={<Meter label="GPU memory in use" parts={[{ part: memoryPart, hue: "active" }]} />}
      >
        {gibNumber(totals.memoryUsedMib)}
        <Of>
          of {gibNumber(totals.memoryTotalMib)}
          <span className="narrow:hidden"> GiB</span>
        </Of>
      </Total>
      <Total label="Running">
        <Link href="/jobs?view=active" className="hover:underline">
          {formatCount(fleet.running)}
        </Link>
      </Total>
      <Total label="In line">
        <Link href="/jobs?view=waiting" className="hover:underline">
          {formatCount(fleet.queued)}
        </Link>
      </Total>
    </dl>
  );
}

function Total({ label, children, meter }: { label: string; children: ReactNode; meter?: ReactNode }) {
  return (
    <div className="relative flex min-w-0 flex-col px-4 py-2.5 narrow:px-3">
      <dt className="truncate text-12 text-content-3">{label}</dt>
      <dd className="tabular truncate text-20 font-semibold tracking-tight narrow:text-16">{children}</dd>
      {meter && <div className="absolute inset-x-4 bottom-1.5 narrow:inset-x-3 [&>div]:h-0.5">{meter}</div>}
    </div>
  );
}

function Of({ children }: { children: ReactNode }) {
  return <span className="ml-1 text-12 font-normal tracking-normal text-content-3">{children}</span>;
}

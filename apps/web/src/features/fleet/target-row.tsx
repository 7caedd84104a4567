"use client";
import type { Gpu, Target } from "@nexus/shared/api/schemas";
import { memo } from "react";
import { cx } from "../../ui/cx.ts";
import { plural } from "../../ui/format.ts";
import { Status } from "../../ui/status.tsx";
import { Tooltip } from "../../ui/tooltip.tsx";
import { isLive, TARGET_STATUS, targetExtra } from "../status/target-status.ts";
import { memoryLabel } from "./gpu-cell.tsx";
import { gpuModels, gpuTenancy } from "./gpu-tenancy.ts";
import { TargetMenu } from "./target-menu.tsx";

/** A target in one line with a bar per GPU: for fleets that do not fit as cells. */
export const TargetRow = memo(function TargetRow({ target }: { target: Target }) {
  return (
    <div
      id={target.id}
      className={cx(
        "flex min-h-10 items-center gap-3 border-b px-3.5 py-1.5 hover:bg-surface-2",
        !isLive(target) && "opacity-90 grayscale",
      )}
    >
      <span className="flex w-52 min-w-0 items-center gap-2 narrow:w-28">
        <Status look={TARGET_STATUS[target.state]} iconOnly />
        <span className="truncate font-medium" title={target.name}>
          {target.name}
        </span>
      </span>
      <span className="flex min-w-0 flex-1 flex-wrap gap-1">
        {target.gpus.map((gpu) => (
          <GpuBar key={gpu.uuid} gpu={gpu} />
        ))}
      </span>
      <span className="truncate text-12 text-content-3 narrow:hidden">{gpuModels(target.gpus)}</span>
      <span className="w-20 text-right text-12 text-content-2 narrow:hidden">
        {targetExtra(target)?.label ?? plural(target.jobsActive, "job")}
      </span>
      <TargetMenu target={target} />
    </div>
  );
});

function GpuBar({ gpu }: { gpu: Gpu }) {
  const tenancy = gpuTenancy(gpu);
  const parts = [
    ["bg-active", tenancy.jobsPart],
    ["bg-odd hatch", tenancy.foreignPart],
    ["bg-idle", tenancy.otherPart],
  ] as const;
  const holder = gpu.holders[0]?.user ?? tenancy.foreign[0] ?? "free";
  return (
    <Tooltip content={`${memoryLabel(gpu)}, ${gpu.sample?.utilizationPct ?? "–"}% busy, ${holder}`}>
      <span
        className={cx(
          "flex h-6 w-3 flex-col-reverse overflow-hidden rounded-[3px] bg-meter-track",
          gpu.blocked && "hatch",
        )}
      >
        {parts.map(([fill, part]) => (
          <span key={fill} className={fill} style={{ height: `${part * 100}%` }} />
        ))}
      </span>
    </Tooltip>
  );
}

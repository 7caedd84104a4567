"use client";
import type { Gpu } from "@nexus/shared/api/schemas";
import { SquareSlash, SquareTerminal } from "lucide-react";
import Link from "next/link";
import { Button } from "../../ui/button.tsx";
import { CopyText } from "../../ui/copy-button.tsx";
import { formatMib } from "../../ui/format.ts";
import { Fact, Facts } from "../../ui/panel.tsx";
import { Time } from "../../ui/time.tsx";
import { toast } from "../../ui/toaster.tsx";
import { useApiMutation } from "../api/api-context.tsx";
import { useRoleReason } from "../api/me.ts";
import { problemOf } from "../api/problem.ts";

/** All that is known of one GPU: what it is, who holds it, every process on it. */
export function GpuDetails({ gpu, target }: { gpu: Gpu; target: string }) {
  const { sample } = gpu;
  return (
    <div className="tabular flex flex-col gap-3 p-3.5">
      <header>
        <h3 className="font-semibold">
          GPU {gpu.index} <span className="font-normal text-content-2">{gpu.name}</span>
        </h3>
        <CopyText text={gpu.uuid} className="text-11 text-content-3" />
      </header>
      <Facts>
        <Fact label="Memory">
          {sample?.memoryUsedMib == null ? "not known" : formatMib(sample.memoryUsedMib)}
          {gpu.memoryTotalMib !== null && ` of ${formatMib(gpu.memoryTotalMib)}`}
        </Fact>
        <Fact label="Power">
          {sample?.powerW == null ? "not known" : `${Math.round(sample.powerW)} W`}
          {sample?.powerLimitW != null && ` of ${Math.round(sample.powerLimitW)} W`}
          {sample?.temperatureC != null && `, ${Math.round(sample.temperatureC)} °C`}
        </Fact>
        <Fact label="Measured">{gpu.sampledAtMs === null ? "never" : <Time atMs={gpu.sampledAtMs} />}</Fact>
        {gpu.holders.map((holder) => (
          <Fact key={holder.job} label="Held by">
            <Link href={`/jobs/${holder.job}`} className="text-active hover:underline">
              {holder.user}, {holder.job}
            </Link>
            {holder.gpuMemoryMib !== null && ` for ${formatMib(holder.gpuMemoryMib)}`}
          </Fact>
        ))}
      </Facts>
      <Processes gpu={gpu} />
      <BlockButton gpu={gpu} target={target} />
    </div>
  );
}

function Processes({ gpu }: { gpu: Gpu }) {
  const processes = gpu.sample?.processes ?? [];
  if (processes.length === 0) return <p className="text-12 text-content-3">No process uses it.</p>;
  return (
    <ul aria-label="Processes" className="border-t text-12">
      {processes.map((process) => (
        <li key={process.pid} className="flex items-center gap-2 border-b py-1.5">
          {process.attempt === null ? (
            <SquareSlash aria-label="outside Nexus" className="size-3.5 shrink-0 text-odd" />
          ) : (
            <SquareTerminal aria-label="of a job" className="size-3.5 shrink-0 text-active" />
          )}
          <span className="min-w-0 flex-1 truncate" title={process.command ?? undefined}>
            {process.user ?? "unknown user"}{" "}
            <span className="font-mono text-content-3">{process.command}</span>
          </span>
          <span className="shrink-0 text-content-3">{process.pid}</span>
          <span className="w-16 shrink-0 text-right">
            {process.memoryMib === null ? "–" : formatMib(process.memoryMib)}
          </span>
        </li>
      ))}
    </ul>
  );
}

function BlockButton({ gpu, target }: { gpu: Gpu; target: string }) {
  const reason = useRoleReason("admin");
  const block = useApiMutation("targets.blockGpu");
  return (
    <div className="flex items-center justify-between gap-3">
      <p className="text-12 text-content-3">
        {gpu.blocked ? "New jobs are kept off it." : "Open to new jobs."}
      </p>
      <Button
        size="small"
        disabledReason={reason}
        busy={block.isPending}
        onClick={() =>
          block.mutate(
            { target, uuid: gpu.uuid, blocked: !gpu.blocked },
            { onError: (error) => toast.error("Not changed", { description: problemOf(error).title }) },
          )
        }
      >
        {gpu.blocked ? "Unblock" : "Block"}
      </Button>
    </div>
  );
}

"use client";
import type { Target } from "@nexus/shared/api/schemas";
import { CircleAlert, FlaskConical, Info, TriangleAlert, Unplug } from "lucide-react";
import Link from "next/link";
import { memo } from "react";
import { Badge, Labels } from "../../ui/badge.tsx";
import { cx } from "../../ui/cx.ts";
import { formatMib, plural } from "../../ui/format.ts";
import { Meter } from "../../ui/meter.tsx";
import { Status } from "../../ui/status.tsx";
import { Time } from "../../ui/time.tsx";
import { Dimmed } from "../../ui/view-state.tsx";
import type { FleetState } from "../live/fleet-state.ts";
import { isLive, TARGET_STATUS, targetExtra } from "../status/target-status.ts";
import { GpuCell } from "./gpu-cell.tsx";
import { gpuModels } from "./gpu-tenancy.ts";
import { TargetMenu } from "./target-menu.tsx";

const UNCONTAINED =
  "Its agent may make no cgroups (v2) there, so it cannot contain escaping processes: one that leaves its job's session, clears its environment and lets go of the log between two looks outlives the job.";

type TargetPanelProps = { target: Target; history: FleetState["history"] };

/**
 * One machine: what it is, how it does, and a cell per GPU. Drawn anew when its target changed; the history of a GPU grows with
 * nothing else, while the map that holds them all is another one after every message.
 */
export const TargetPanel = memo(DrawnTarget, (before, after) => before.target === after.target);

function DrawnTarget({ target, history }: TargetPanelProps) {
  return (
    <section id={target.id} aria-label={target.name} className="rounded-lg border bg-surface-1">
      <TargetHeader target={target} />
      {target.notice && <Notice notice={target.notice} />}
      <Dimmed stale={!isLive(target) && target.facts !== null} className="px-3 pb-3">
        {target.gpus.length > 0 ? (
          <div className="grid grid-cols-[repeat(auto-fill,minmax(132px,1fr))] gap-2 narrow:grid-cols-2">
            {target.gpus.map((gpu) => (
              <GpuCell key={gpu.uuid} target={target.id} gpu={gpu} history={history.get(gpu.uuid)} />
            ))}
          </div>
        ) : (
          <HostMeters target={target} />
        )}
      </Dimmed>
    </section>
  );
}

function TargetHeader({ target }: { target: Target }) {
  const extra = targetExtra(target);
  const simulated = target.gpus.some((gpu) => gpu.simulated);
  return (
    <header className="flex flex-wrap items-center gap-x-3 gap-y-1 py-2 pr-2 pl-3.5">
      <span className="flex min-w-0 items-center gap-2">
        <Status look={TARGET_STATUS[target.state]} iconOnly />
        <h2 className="truncate font-semibold" title={target.name}>
          {target.name}
        </h2>
      </span>
      {target.state !== "connected" && (
        <span className="text-12 text-content-2">
          {TARGET_STATUS[target.state].label} <Time atMs={target.stateSinceMs} />
        </span>
      )}
      {extra && <Status look={extra} pill className="h-5! text-11!" />}
      {simulated && (
        <Badge hue="odd" title="These GPUs are made up by the simulated driver; nothing computes on them.">
          <FlaskConical /> simulated
        </Badge>
      )}
      {target.kind === "ssh" && (
        <Badge title="No agent runs there: the control plane runs jobs over SSH. Nothing is reported, and no deadline kept, while it does not reach the machine; there are no terminals and no job cgroups.">
          <Unplug /> agentless
        </Badge>
      )}
      {target.kind === "agent" && target.facts?.containsJobs === false && (
        <Badge title={UNCONTAINED}>not contained</Badge>
      )}
      <span className="flex min-w-0 flex-wrap gap-1 narrow:hidden">
        <Labels labels={target.labels} />
      </span>
      <span className="ml-auto flex items-center gap-3 text-12 text-content-3">
        <span className="narrow:hidden">{target.gpus.length > 0 && gpuModels(target.gpus)}</span>
        <HostSummary target={target} />
        {target.facts && <span className="narrow:hidden">agent {target.facts.agentVersion}</span>}
        <Link
          href={`/jobs?view=active&target=${encodeURIComponent(target.name)}`}
          className={cx("hover:underline", target.jobsActive > 0 && "text-content-1")}
        >
          {plural(target.jobsActive, "job")}
        </Link>
        <TargetMenu target={target} />
      </span>
    </header>
  );
}

function HostSummary({ target }: { target: Target }) {
  const { host } = target;
  if (!host || target.gpus.length === 0) return null;
  return (
    <span className="narrow:hidden">
      {host.cpuPct !== null && `CPU ${Math.round(host.cpuPct)}%`}
      {host.memoryUsedMib !== null && ` · RAM ${formatMib(host.memoryUsedMib)}`}
    </span>
  );
}

/** A machine without GPUs is measured by what it has. */
function HostMeters({ target }: { target: Target }) {
  const { facts, host } = target;
  if (!facts) return <p className="px-0.5 text-12 text-content-3">{TARGET_STATUS[target.state].sentence}</p>;
  const memoryPart =
    host?.memoryUsedMib != null && host.memoryTotalMib ? host.memoryUsedMib / host.memoryTotalMib : 0;
  return (
    <div className="grid grid-cols-[repeat(auto-fill,minmax(220px,1fr))] gap-x-6 gap-y-2 px-0.5 text-12">
      <div className="flex flex-col gap-1.5">
        <span className="flex justify-between text-content-2">
          <span>{plural(facts.cpuCount, "CPU")}</span>
          <span>{host?.cpuPct == null ? "–" : `${Math.round(host.cpuPct)}%`}</span>
        </span>
        <Meter
          label={`CPU use of ${target.name}`}
          parts={[{ part: (host?.cpuPct ?? 0) / 100, hue: "active" }]}
        />
      </div>
      <div className="flex flex-col gap-1.5">
        <span className="flex justify-between text-content-2">
          <span>Memory</span>
          <span>
            {host?.memoryUsedMib == null ? "–" : formatMib(host.memoryUsedMib)} of{" "}
            {formatMib(facts.memoryTotalMib)}
          </span>
        </span>
        <Meter label={`Memory use of ${target.name}`} parts={[{ part: memoryPart, hue: "active" }]} />
      </div>
      <p className="self-end text-content-3">{facts.gpuProblem ?? "No GPUs"}</p>
    </div>
  );
}

function Notice({ notice }: { notice: NonNullable<Target["notice"]> }) {
  const [Icon, color] =
    notice.level === "error"
      ? [CircleAlert, "text-bad"]
      : notice.level === "warning"
        ? [TriangleAlert, "text-wait"]
        : [Info, "text-active"];
  return (
    <p className="mx-3 mb-3 flex items-start gap-2 rounded-md bg-surface-2 px-2.5 py-1.5 text-12">
      <Icon aria-hidden className={cx("mt-px size-3.5 shrink-0", color)} />
      <span className="min-w-0 flex-1 break-words">{notice.message}</span>
      <span className="shrink-0 text-content-3">
        <Time atMs={notice.atMs} />
      </span>
    </p>
  );
}

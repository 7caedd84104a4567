import type { Gpu, Target } from "@nexus/shared/api/schemas";
import type { TargetState } from "@nexus/shared/machines/target";
import { memoryText } from "../../terminal/amounts.ts";
import type { Ink } from "../../terminal/paint.ts";
import type { Cell } from "../../terminal/table.ts";

/** Shape and colour, never colour alone. */
const LOOK: Record<TargetState, { icon: string; ink: Ink }> = {
  connecting: { icon: "◔", ink: "cyan" },
  connected: { icon: "●", ink: "green" },
  unreachable: { icon: "◌", ink: "yellow" },
  offline: { icon: "○", ink: "red" },
  revoked: { icon: "⊘", ink: "dim" },
  needs_update: { icon: "!", ink: "yellow" },
};

/** Agentless targets never contain; their own mark says so. */
export function isUncontained({ kind, facts }: Target): boolean {
  return kind === "agent" && facts?.containsJobs === false;
}

export function targetStateCell(target: Target): Cell {
  const { kind, state, cordoned, draining } = target;
  const { icon, ink } = LOOK[state];
  const held = draining ? ", draining" : cordoned ? ", cordoned" : "";
  const marks = `${kind === "ssh" ? ", agentless" : ""}${isUncontained(target) ? ", not contained" : ""}${held}`;
  return { text: `${icon} ${state.replace("_", " ")}${marks}`, ink: held === "" ? ink : "yellow" };
}

/** `8 × NVIDIA H100`, with what is not as it seems. */
export function gpuSummary({ gpus, facts }: Target): string {
  if (gpus.length === 0) return facts?.gpuProblem ?? "";
  const counts = new Map<string, number>();
  for (const gpu of gpus) counts.set(gpu.name, (counts.get(gpu.name) ?? 0) + 1);
  const models = [...counts].map(([name, count]) => `${count} × ${name}`).join(", ");
  return gpus.some(({ simulated }) => simulated) ? `${models} (simulated)` : models;
}

export function gpuMemoryText({ sample, memoryTotalMib }: Gpu): string {
  const used = sample?.memoryUsedMib ?? null;
  const total = memoryTotalMib === null ? "?" : memoryText(memoryTotalMib);
  return used === null ? `? of ${total}` : `${memoryText(used)} of ${total}`;
}

/** A bar of ten, for the share of memory in use. */
export function gpuBar({ sample, memoryTotalMib }: Gpu): Cell {
  const used = sample?.memoryUsedMib ?? null;
  if (used === null || !memoryTotalMib) return { text: "··········", ink: "dim" };
  const share = Math.max(0, Math.min(1, used / memoryTotalMib));
  const full = Math.round(share * 10);
  const ink = share > 0.9 ? "red" : share > 0.6 ? "yellow" : "green";
  return { text: "█".repeat(full) + "░".repeat(10 - full), ink };
}

/** Jobs that hold it, and people who use it outside of Nexus. */
export function gpuUsers({ holders, sample, blocked, schedulable }: Gpu): string {
  const jobs = holders.map(({ job, user }) => `${job} ${user}`);
  const foreign = (sample?.processes ?? []).filter(({ attempt }) => attempt === null);
  const outside = [...new Set(foreign.map(({ user }) => user ?? "someone"))].map(
    (user) => `${user} (outside Nexus)`,
  );
  return [...(blocked ? ["blocked"] : []), ...(schedulable ? [] : ["in MIG mode"]), ...jobs, ...outside].join(
    ", ",
  );
}

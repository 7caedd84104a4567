import type { BenchCase, BenchContext } from "../bench-case.ts";
import { openNexus, unlessBuilt } from "../nexus.ts";
import { cpuMsOfTree, memoryMibOfTree } from "../process-tree.ts";

const SETTLE_MS = 5_000;
const WATCH_MS = 10_000;

type Part = "agent" | "control plane";

/** With all the processes that it keeps: the agent's launcher, the control plane's Postgres. */
function idle(part: Part, unit: "MiB" | "% CPU"): BenchCase {
  return {
    name: `Nexus ${part}, idle ${unit === "MiB" ? "memory" : "CPU"}`,
    unit,
    absent: () =>
      unlessBuilt() ?? (process.platform === "linux" ? undefined : "it reads /proc, which is Linux"),
    async run(ctx) {
      const pid = await pidOf(part, ctx);
      await pass(SETTLE_MS);
      if (unit === "MiB") return [memoryMibOfTree(pid)];
      const before = cpuMsOfTree(pid);
      await pass(WATCH_MS);
      return [((cpuMsOfTree(pid) - before) / WATCH_MS) * 100];
    },
  };
}

export const nexusIdle: BenchCase[] = [
  idle("agent", "MiB"),
  idle("agent", "% CPU"),
  idle("control plane", "MiB"),
  idle("control plane", "% CPU"),
];

async function pidOf(part: Part, ctx: BenchContext): Promise<number> {
  const { nexus, agent } = await openNexus(ctx);
  const { pid } = part === "agent" ? agent.child.process : nexus.server.process;
  if (pid === undefined) throw new Error(`the ${part} does not run`);
  return pid;
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

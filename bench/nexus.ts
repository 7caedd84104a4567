import { existsSync } from "node:fs";
import { AGENT, Nexus, type NexusAgent, SERVER } from "../tests/harness/nexus.ts";
import type { BenchContext } from "./bench-case.ts";

/** A control plane and one agent, as users run them, in temporary homes. All cases and rounds share it. */
export type RunningNexus = { nexus: Nexus; agent: NexusAgent };

const TARGET = "bench";

export function openNexus(ctx: BenchContext): Promise<RunningNexus> {
  return ctx.share("nexus", async () => {
    const nexus = await Nexus.start();
    try {
      const agent = await nexus.addAgent({ name: TARGET });
      return { value: { nexus, agent }, close: () => nexus.dispose() };
    } catch (cause) {
      await nexus.dispose();
      throw cause;
    }
  });
}

/** For `absent` of the cases that need it. */
export function unlessBuilt(): string | undefined {
  return [SERVER, AGENT].every((file) => existsSync(file)) ? undefined : "Nexus is not built (npm run build)";
}

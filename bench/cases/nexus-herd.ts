import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Identity } from "../../apps/agent/src/link/identity-store.ts";
import { Nexus } from "../../tests/harness/nexus.ts";
import { until } from "../../tests/harness/until.ts";
import type { BenchCase } from "../bench-case.ts";
import { unlessBuilt } from "../nexus.ts";
import { cpuMsOfTree, memoryMib } from "../process-tree.ts";
import { startSimulatedFleet } from "../simulated-fleet.ts";

const NODES = 1_000;
const JOB_TICK_S = 0.2;

/**
 * The control plane is killed and started again while a thousand nodes are connected: from the kill until all of them are connected
 * again. A job that runs on a real agent meanwhile must neither begin anew nor miss a line.
 */
export const nexusHerd: BenchCase = {
  name: `Nexus, return of ${NODES} agents after kill -9`,
  unit: "ms",
  rounds: 1,
  isByName: true,
  absent: unlessBuilt,
  async run(ctx) {
    const nexus = await Nexus.start();
    const folder = join(ctx.folder, "herd");
    mkdirSync(folder);
    const agent = await nexus.addAgent({ name: "real" });
    const like: Identity = JSON.parse(readFileSync(join(agent.home, "identity.json"), "utf8"));
    const job = await nexus.submit({
      command: [
        "sh",
        "-c",
        `i=0; while [ ! -e ${folder}/end ]; do echo $i; i=$((i+1)); sleep ${JOB_TICK_S}; done`,
      ],
    });
    await nexus.inState(job.id, "running");
    const firstAtMs = performance.now();
    const fleet = await startSimulatedFleet(nexus, { count: NODES, folder, like });
    try {
      await fleet.allLive();
      note(`${NODES} nodes connected for the first time in ${seconds(firstAtMs)}`);
      note(`control plane: ${size(nexus)} MiB resident`);
      const killedAtMs = performance.now();
      await nexus.server.kill("SIGKILL");
      await until("the nodes saw it", async () => fleet.live() === 0);
      await nexus.startServer();
      note(`ready again after ${seconds(killedAtMs)}, ${fleet.live()} nodes connected`);
      await fleet.allLive();
      const tookMs = performance.now() - killedAtMs;
      const { pid = 0 } = nexus.server.process;
      note(
        `all back after ${seconds(killedAtMs)}, ${size(nexus)} MiB resident, ${cpuMsOfTree(pid)} ms of CPU`,
      );
      await nexus.targetConnected("real");
      const seen = await nexus.inState(job.id, "running");
      if (seen.attemptNumber !== 1) throw new Error(`the job began ${seen.attemptNumber} times`);
      const { targets } = await nexus.call("fleet.list", undefined);
      const away = targets.filter(({ state }) => state !== "connected");
      if (away.length > 0) throw new Error(`${away.length} targets are not connected`);
      mkdirSync(join(folder, "end"));
      await nexus.ended(job.id);
      const lines = (await nexus.log(job.id)).toString().trimEnd().split("\n");
      if (!lines.every((line, i) => line === String(i))) throw new Error("the job's log is not whole");
      return [tookMs];
    } finally {
      await fleet.stop();
      await nexus.dispose();
    }
  },
};

function size(nexus: Nexus): number {
  return Math.round(memoryMib(nexus.server.process.pid ?? 0));
}

function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
}

function note(text: string): void {
  process.stderr.write(`  ${text}\n`);
}

/** Processes that stand still for longer than every timeout of the link, and then go on as if nothing had been. */

import { HEARTBEAT_MISSES_MAX, HEARTBEAT_MS } from "@nexus/shared/protocol/limits";
import { pause } from "../pause.ts";
import { signalTo } from "../processes.ts";
import { type Fault, type Ground, inRounds, names } from "./fault.ts";

const HEALED_MS_MAX = 10_000;
/** Silence is noticed after so many heartbeats and one look more; then the grace before jobs are called unreachable. */
const SILENT_MS = HEARTBEAT_MS * (HEARTBEAT_MISSES_MAX + 1) + 8_000;

const stopMs = (scale: number) => Math.max(2_000, SILENT_MS * scale);

export const agentStop: Fault = {
  name: "agent-stop",
  what: "an agent stands still beyond every timeout (SIGSTOP), and goes on",
  recoveryMsMax: HEALED_MS_MAX,
  roundMs: (scale) => stopMs(scale) + 5_000,
  strike: (ground) =>
    inRounds(ground, async () => {
      const node = ground.random.pick(ground.house.nodes);
      await standStill(ground, [node.agent.child.process.pid ?? 0]);
      return await ground.stream.recovered([node.name], performance.now());
    }),
};

export const serverStop: Fault = {
  name: "server-stop",
  what: "the control plane stands still beyond every timeout (SIGSTOP), and goes on",
  recoveryMsMax: HEALED_MS_MAX,
  roundMs: (scale) => stopMs(scale) + 5_000,
  strike: (ground) =>
    inRounds(ground, async () => {
      await standStill(ground, [ground.house.nexus.server.process.pid ?? 0]);
      return await ground.stream.recovered(names(ground), performance.now());
    }),
};

export const postgresStop: Fault = {
  name: "postgres-stop",
  what: "Postgres stands still beyond every timeout (SIGSTOP), and goes on",
  recoveryMsMax: HEALED_MS_MAX,
  roundMs: (scale) => stopMs(scale) + 5_000,
  strike: (ground) =>
    inRounds(ground, async () => {
      await standStill(ground, ground.house.postgresProcesses());
      return await ground.stream.recovered(names(ground), performance.now());
    }),
};

async function standStill({ scale }: Ground, pids: number[]): Promise<void> {
  for (const pid of pids) signalTo(pid, "SIGSTOP");
  await pause(stopMs(scale));
  for (const pid of pids) signalTo(pid, "SIGCONT");
}

/** `kill -9`, at any moment, of one part or of all at once. */
import { pause } from "../pause.ts";
import { processesIn, processesMarked, signalTo } from "../processes.ts";
import { amongStarts, type Fault, type Ground, names } from "./fault.ts";

const SERVER_MS_MAX = 5_000;
const AGENT_MS_MAX = 3_000;

export const agentKill: Fault = {
  name: "agent-kill",
  what: "kill -9 of an agent",
  recoveryMsMax: AGENT_MS_MAX,
  roundMs: () => 3_000,
  strike: (ground) =>
    amongStarts(ground, async () => {
      const node = ground.random.pick(ground.house.nodes);
      const atMs = performance.now();
      ground.house.killAgent(node);
      return await ground.stream.recovered([node.name], atMs);
    }),
};

export const serverKill: Fault = {
  name: "server-kill",
  what: "kill -9 of the control plane",
  recoveryMsMax: SERVER_MS_MAX,
  roundMs: () => 6_000,
  strike: (ground) =>
    amongStarts(ground, async () => {
      const atMs = performance.now();
      ground.house.killServer();
      return await ground.stream.recovered(names(ground), atMs);
    }),
};

export const postgresKill: Fault = {
  name: "postgres-kill",
  what: "kill -9 of Postgres",
  recoveryMsMax: SERVER_MS_MAX,
  roundMs: () => 6_000,
  strike: (ground) =>
    amongStarts(ground, async () => {
      const atMs = performance.now();
      ground.house.killPostgres();
      return await ground.stream.recovered(names(ground), atMs);
    }),
};

export const launcherKill: Fault = {
  name: "launcher-kill",
  what: "kill -9 of the process that starts a node's jobs",
  recoveryMsMax: AGENT_MS_MAX,
  roundMs: () => 2_500,
  strike: (ground) =>
    amongStarts(ground, async () => {
      const node = ground.random.pick(ground.house.nodes);
      const atMs = performance.now();
      if (ground.house.killLauncher(node) === 0) throw new Error(`${node.name} has no launcher`);
      return await ground.stream.recovered([node.name], atMs);
    }),
};

export const supervisorKill: Fault = {
  name: "supervisor-kill",
  what: "kill -9 of what watches a running job: the job ends as failed, and says why",
  recoveryMsMax: AGENT_MS_MAX,
  roundMs: () => 2_500,
  strike: (ground) =>
    amongStarts(ground, async () => {
      const node = ground.random.pick(ground.house.nodes);
      const running = [...ground.house.supervisors(node).keys()];
      const atMs = performance.now();
      if (running.length > 0) {
        const pid = ground.random.pick(running);
        // What it claims in its last moment counts too.
        signalTo(pid, "SIGSTOP");
        for (const attempt of ground.house.supervisors(node).get(pid) ?? [])
          ground.stream.orphaned.add(attempt);
        signalTo(pid, "SIGKILL");
      }
      return await ground.stream.recovered([node.name], atMs);
    }),
};

export const allKill: Fault = {
  name: "all-kill",
  what: "kill -9 of control plane, Postgres, every agent and every launcher at once",
  recoveryMsMax: SERVER_MS_MAX,
  roundMs: () => 7_000,
  strike: (ground) =>
    amongStarts(ground, async () => {
      const { house } = ground;
      const atMs = performance.now();
      house.killServer();
      for (const pid of house.postgresProcesses()) signalTo(pid, "SIGKILL");
      for (const node of house.nodes) {
        house.killAgent(node);
        house.killLauncher(node);
      }
      return await ground.stream.recovered(names(ground), atMs);
    }),
};

export const nodeKill: Fault = {
  name: "node-kill",
  what: "kill -9 of everything on a node, jobs too: they end as failed, with all that they wrote",
  recoveryMsMax: AGENT_MS_MAX,
  roundMs: () => 4_000,
  strike: (ground) =>
    amongStarts(ground, async () => {
      const { house } = ground;
      const node = ground.random.pick(house.nodes);
      node.isDown = true;
      house.killAgent(node);
      await endEverything(ground, node.agent.home);
      const atMs = performance.now();
      node.isDown = false;
      return await ground.stream.recovered([node.name], atMs);
    }),
};

/** Launcher, supervisors and jobs of one node. */
async function endEverything({ house, stream }: Ground, home: string): Promise<void> {
  const node = house.nodes.find(({ agent }) => agent.home === home);
  if (!node) return;
  // What is claimed in the last moment counts too, also by a supervisor that was forked while the others were stopped.
  const moving = () => processesIn(home).filter(({ state }) => state !== "T");
  for (let left = moving(); left.length > 0; left = moving()) {
    for (const { pid } of left) signalTo(pid, "SIGSTOP");
    await pause(1);
  }
  for (const attempts of house.supervisors(node).values())
    for (const one of attempts) stream.orphaned.add(one);
  for (let left = processesIn(home); left.length > 0; left = processesIn(home)) {
    for (const { pid } of left) signalTo(pid, "SIGKILL");
    await pause(10);
  }
  for (const attempt of stream.orphaned) {
    for (const { pid } of processesMarked(`NEXUS_ATTEMPT_ID=${attempt}`)) signalTo(pid, "SIGKILL");
  }
}

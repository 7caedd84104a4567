import { pause } from "../pause.ts";
import { signalTo } from "../processes.ts";
import { type Fault, type Ground, inRounds, names } from "./fault.ts";

const STORM_MS = 30_000;
const HEALED_MS_MAX = 15_000;

/** Strikes of every kind at once, some while the last one is not over: what no single fault meets. */
export const storm: Fault = {
  name: "storm",
  what: "30 s of kills, cuts, stops and full disks at random, overlapping",
  recoveryMsMax: HEALED_MS_MAX,
  roundMs: (scale) => STORM_MS * scale + 10_000,
  needs: "mount",
  hasPatientJobs: true,
  strike: (ground) =>
    inRounds(ground, async () => {
      const { house, random, scale } = ground;
      const untilMs = performance.now() + STORM_MS * scale;
      const healing: Promise<void>[] = [];
      house.mayServerEnd = true;
      while (performance.now() < untilMs) {
        healing.push(random.pick(STRIKES)(ground));
        await pause(random.int(100, 3_000));
      }
      await Promise.all(healing);
      const recovery = await ground.stream.recovered(names(ground), performance.now());
      house.mayServerEnd = false;
      return recovery;
    }),
};

type Strike = (ground: Ground) => Promise<void>;

const STRIKES: readonly Strike[] = [
  async ({ house }) => house.killServer(),
  async ({ house }) => house.killPostgres(),
  async ({ house, random }) => house.killAgent(random.pick(house.nodes)),
  async ({ house, random }) => void house.killLauncher(random.pick(house.nodes)),
  async ({ house, random }) => {
    const { name } = random.pick(house.nodes);
    const held = { isHeld: true };
    const change = random.pick([{ toServer: held }, { toNode: held }, { toServer: held, toNode: held }]);
    house.proxy.set(name, change);
    await pause(random.int(100, 20_000));
    house.proxy.heal(name);
  },
  async ({ house, random }) => {
    const { name } = random.pick(house.nodes);
    const lossy = { delayMs: 20, stallChance: 0.2, resetChance: 0.05 };
    house.proxy.set(name, { toServer: lossy, toNode: lossy });
    await pause(random.int(1_000, 8_000));
    house.proxy.heal(name);
  },
  async ({ house, random }) => {
    const { agent } = random.pick(house.nodes);
    const pid = random.pick([agent.child.process.pid, house.nexus.server.process.pid]) ?? 0;
    signalTo(pid, "SIGSTOP");
    await pause(random.int(200, 10_000));
    signalTo(pid, "SIGCONT");
  },
  async ({ house, random }) => {
    const disk = random.pick([house.logsDisk, house.databaseDisk, random.pick(house.nodes).disk]);
    disk?.fill();
    await pause(random.int(500, 5_000));
    disk?.free();
  },
];

/** A network that carries nothing for a while, in both ways or in one; that is slow; that loses packets. */

import type { Link, Way } from "../cutting-proxy.ts";
import { pause } from "../pause.ts";
import { type Fault, type Ground, inRounds } from "./fault.ts";

const HEALED_MS_MAX = 10_000;
const HELD: Partial<Way> = { isHeld: true };

export const cut = cutFault({
  name: "cut",
  what: "no network for a node, 10 to 90 s",
  lengthMs: (ground) => ground.random.pick([10_000, 20_000, 45_000, 90_000]),
  change: { toServer: HELD, toNode: HELD },
});

export const cutLong = cutFault({
  name: "cut-long",
  what: "no network for a node, 10 min",
  lengthMs: () => 600_000,
  change: { toServer: HELD, toNode: HELD },
  roundMs: 605_000,
  roundsMax: 1,
});

export const cutOut = cutFault({
  name: "cut-out",
  what: "what a node sends does not arrive, what it is sent does, 10 to 45 s",
  lengthMs: (ground) => ground.random.pick([10_000, 25_000, 45_000]),
  change: { toServer: HELD },
});

export const cutIn = cutFault({
  name: "cut-in",
  what: "what a node is sent does not arrive, what it sends does, 10 to 45 s",
  lengthMs: (ground) => ground.random.pick([10_000, 25_000, 45_000]),
  change: { toNode: HELD },
});

export const slowLink = cutFault({
  name: "slow-link",
  what: "a link of 150 ms and 256 KiB/s each way, 15 s",
  lengthMs: () => 15_000,
  change: {
    toServer: { delayMs: 150, bytesPerSecond: 256 * 1024 },
    toNode: { delayMs: 150, bytesPerSecond: 256 * 1024 },
  },
});

export const lossyLink = cutFault({
  name: "lossy-link",
  what: "every fifth packet waits for its retransmission, every fiftieth chunk resets its connection, 15 s",
  lengthMs: () => 15_000,
  change: {
    toServer: { delayMs: 20, stallChance: 0.2, resetChance: 0.02 },
    toNode: { delayMs: 20, stallChance: 0.2, resetChance: 0.02 },
  },
});

/** With the timers of real TCP, which wait the longer the longer nothing gets through. */
export const cutTcp: Fault = {
  name: "cut-tcp",
  what: "the network of a node is down for 5 to 90 s, with real TCP on both sides",
  recoveryMsMax: HEALED_MS_MAX,
  roundMs: (scale) => 45_000 * scale,
  needs: "networks",
  strike: (ground) =>
    inRounds(ground, async () => {
      const { house, stream, random, scale } = ground;
      const node = random.pick(house.nodes);
      node.network?.cut();
      await pause(random.pick([5_000, 12_000, 20_000, 35_000, 60_000, 90_000]) * scale);
      node.network?.heal();
      return await stream.recovered([node.name], performance.now());
    }),
};

type Cut = {
  name: string;
  what: string;
  lengthMs(ground: Ground): number;
  change: { [K in keyof Link]?: Partial<Way> };
  roundMs?: number;
  roundsMax?: number;
};

function cutFault({ name, what, lengthMs, change, roundMs = 40_000, roundsMax = 99 }: Cut): Fault {
  return {
    name,
    what,
    recoveryMsMax: HEALED_MS_MAX,
    roundMs: (scale) => roundMs * scale,
    strike: (ground) =>
      inRounds({ ...ground, rounds: Math.min(ground.rounds, roundsMax) }, async () => {
        const { house, stream, random } = ground;
        const node = random.pick(house.nodes);
        house.proxy.set(node.name, change);
        await pause(lengthMs(ground) * ground.scale);
        house.proxy.heal(node.name);
        return await stream.recovered([node.name], performance.now());
      }),
  };
}

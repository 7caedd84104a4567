import { clockNode, clockServer } from "./clocks.ts";
import { clone } from "./clone.ts";
import { diskFullDatabase, diskFullLogs, diskFullNode, diskSlow } from "./disks.ts";
import type { Fault } from "./fault.ts";
import {
  agentKill,
  allKill,
  launcherKill,
  nodeKill,
  postgresKill,
  serverKill,
  supervisorKill,
} from "./kills.ts";
import { cut, cutIn, cutLong, cutOut, cutTcp, lossyLink, slowLink } from "./network.ts";
import { agentStop, postgresStop, serverStop } from "./stops.ts";
import { storm } from "./storm.ts";

/** Nothing happens: what the others are compared with. */
const calm: Fault = {
  name: "none",
  what: "nothing",
  recoveryMsMax: 1_000,
  roundMs: () => 2_000,
  strike: async ({ stream, house }) => [
    await stream.recovered(
      house.nodes.map(({ name }) => name),
      performance.now(),
    ),
  ],
};

export const ALL_FAULTS: readonly Fault[] = [
  calm,
  ...[agentKill, serverKill, postgresKill, launcherKill, supervisorKill, nodeKill, allKill],
  ...[agentStop, serverStop, postgresStop],
  ...[cut, cutTcp, cutOut, cutIn, slowLink, lossyLink],
  ...[diskFullNode, diskFullLogs, diskFullDatabase, diskSlow],
  storm,
  ...[clockNode, clockServer, clone, cutLong],
];

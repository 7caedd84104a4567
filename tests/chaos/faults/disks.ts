/** Disks that take no byte more for a while, and disks that are slow. */
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { pause } from "../pause.ts";
import { type Fault, inRounds, names } from "./fault.ts";

/** The log store is asked again every five seconds, the node looks at its disk as often. */
const HEALED_MS_MAX = 12_000;
const FULL_MS = 8_000;

export const diskFullNode: Fault = {
  name: "disk-full-node",
  what: "the disk of a node's agent and job logs is full for 8 s",
  recoveryMsMax: HEALED_MS_MAX,
  roundMs: (scale) => FULL_MS * scale + 5_000,
  needs: "mount",
  hasPatientJobs: true,
  strike: (ground) =>
    inRounds(ground, async () => {
      const node = ground.random.pick(ground.house.nodes);
      node.disk?.fill();
      await pause(FULL_MS * ground.scale);
      node.disk?.free();
      return await ground.stream.recovered([node.name], performance.now());
    }),
};

export const diskFullLogs: Fault = {
  name: "disk-full-logs",
  what: "the control plane's disk for logs is full for 8 s",
  recoveryMsMax: HEALED_MS_MAX,
  roundMs: (scale) => FULL_MS * scale + 6_000,
  needs: "mount",
  strike: (ground) =>
    inRounds(ground, async () => {
      const { house, stream, scale } = ground;
      house.logsDisk?.fill();
      await pause(FULL_MS * scale);
      house.logsDisk?.free();
      return await stream.recovered(names(ground), performance.now());
    }),
};

export const diskFullDatabase: Fault = {
  name: "disk-full-database",
  what: "Postgres' disk is full for 8 s",
  recoveryMsMax: HEALED_MS_MAX,
  roundMs: (scale) => FULL_MS * scale + 6_000,
  needs: "mount",
  strike: (ground) =>
    inRounds(ground, async () => {
      const { house, stream, scale } = ground;
      house.mayServerEnd = true;
      house.databaseDisk?.fill();
      await pause(FULL_MS * scale);
      house.databaseDisk?.free();
      const recovery = await stream.recovered(names(ground), performance.now());
      house.mayServerEnd = false;
      return recovery;
    }),
};

export const diskSlow: Fault = {
  name: "disk-slow",
  what: "the control plane's disk is kept busy by somebody who syncs 4 MiB all the time, 8 s",
  recoveryMsMax: 10_000,
  roundMs: (scale) => 8_000 * scale + 3_000,
  strike: (ground) =>
    inRounds(ground, async () => {
      const { house, stream, scale } = ground;
      const path = join(house.nexus.home, "somebody-else");
      const fd = openSync(path, "w");
      const block = Buffer.alloc(4 * 1024 * 1024, 1);
      for (const until = performance.now() + 8_000 * scale; performance.now() < until; await pause(5)) {
        writeSync(fd, block, 0, block.length, 0);
        fsyncSync(fd);
      }
      closeSync(fd);
      rmSync(path);
      return await stream.recovered(names(ground), performance.now());
    }),
};

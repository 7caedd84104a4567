/** Clocks that are wrong, and that jump while everything runs. Debian's faketime tells a process another time of day. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pause } from "../pause.ts";
import { type Fault, type Ground, inRounds, names } from "./fault.ts";

const LIBRARIES = [
  "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
  "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
];

export function faketimeLibrary(): string | null {
  return LIBRARIES.find((path) => existsSync(path)) ?? null;
}

/** The environment of a process whose clock follows a file. */
export function wrongClockEnv(folder: string, who: string): Record<string, string> {
  const library = faketimeLibrary();
  if (library === null) return {};
  const file = clockFile(folder, who);
  writeFileSync(file, "+0\n");
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: "1",
    // A monotonic clock does not jump, whatever is done to the time of day.
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    DONT_FAKE_MONOTONIC: "1",
  };
}

const OFFSETS = ["+1d", "-1d", "+400d", "-400d", "+90", "-90"];

export const clockNode: Fault = {
  name: "clock-node",
  what: "a node's clock jumps by up to 400 days, and its agent is killed with the wrong time",
  recoveryMsMax: 5_000,
  roundMs: () => 6_000,
  needs: "faketime",
  strike: (ground) =>
    inRounds(ground, async () => {
      const node = ground.random.pick(ground.house.nodes);
      jump(ground, node.name);
      await pause(1_500);
      ground.house.killAgent(node);
      const recovery = await ground.stream.recovered([node.name], performance.now());
      return recovery;
    }),
};

export const clockServer: Fault = {
  name: "clock-server",
  what: "the control plane's clock jumps by up to 400 days",
  recoveryMsMax: 5_000,
  roundMs: () => 5_000,
  needs: "faketime",
  strike: (ground) =>
    inRounds(ground, async () => {
      jump(ground, "control-plane");
      return await ground.stream.recovered(names(ground), performance.now());
    }),
};

function jump({ house, random }: Ground, who: string): void {
  writeFileSync(clockFile(house.folder, who), `${random.pick(OFFSETS)}\n`);
}

function clockFile(folder: string, who: string): string {
  return join(folder, `${who}.clock`);
}

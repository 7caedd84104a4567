import { statfsSync } from "node:fs";
import { type DiskRoom, isDiskLow } from "@nexus/shared/low-disk";

const LOOK_EVERY_MS = 2_000;
const MIB = 1024 * 1024;
/** With less than this Postgres fails at one step or another; the control plane says so at the same size. */
const ROOM_MIB_MIN = 1;

type State = "well" | "low" | "full";

/** Tells a person once when the home's disk gets low, once when it has no room, and once when it has again. */
export function watchDisk(home: string, say: (text: string) => void, lookEveryMs = LOOK_EVERY_MS) {
  let state: State = "well";
  const look = () => {
    const room = roomOf(home);
    // A home that is gone has other problems, and they are told elsewhere.
    const now = room === null ? "well" : stateOf(room, state !== "well");
    if (now === state) return;
    const disk = `The control plane's disk (${home})`;
    if (now === "full") say(`${disk} is full; free space there.`);
    else if (state === "full") say(`${disk} has room again.`);
    else if (now === "low")
      say(`${disk} is low: ${Math.floor(room?.freeMib ?? 0)} MiB free. Free space there before it is full.`);
    state = now;
  };
  look();
  const timer = setInterval(look, lookEveryMs);
  return { stop: async () => clearInterval(timer) };
}

function stateOf(room: DiskRoom, wasLow: boolean): State {
  if (room.freeMib < ROOM_MIB_MIN) return "full";
  return isDiskLow(room, wasLow) ? "low" : "well";
}

function roomOf(home: string): DiskRoom | null {
  try {
    const { bavail, blocks, bsize } = statfsSync(home);
    return { freeMib: (bavail * bsize) / MIB, totalMib: (blocks * bsize) / MIB };
  } catch {
    return null;
  }
}

import { statfsSync } from "node:fs";

const LOOK_EVERY_MS = 2_000;
/** With less than this Postgres fails at one step or another; the control plane says so at the same size. */
const ROOM_BYTES_MIN = 1024 * 1024;

/** Tells a person once when the home's disk has no room, and once when it has again. */
export function watchDisk(home: string, say: (text: string) => void, lookEveryMs = LOOK_EVERY_MS) {
  let wasFull = false;
  const look = () => {
    const isFull = hasNoRoom(home);
    if (isFull && !wasFull) say(`The control plane's disk (${home}) is full; free space there.`);
    if (!isFull && wasFull) say(`The control plane's disk (${home}) has room again.`);
    wasFull = isFull;
  };
  look();
  const timer = setInterval(look, lookEveryMs);
  return { stop: async () => clearInterval(timer) };
}

function hasNoRoom(home: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(home);
    return bavail * bsize < ROOM_BYTES_MIN;
  } catch {
    // A home that is gone has other problems, and they are told elsewhere.
    return false;
  }
}

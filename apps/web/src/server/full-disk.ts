import { statfsSync } from "node:fs";

/** Postgres writes pages of 8 KiB and segments beside them: with less than this it fails at one step or another. */
const ROOM_BYTES_MIN = 1024 * 1024;

/** The sentence for people while the disk that holds the control plane's home has no room; else null. */
export function fullDiskText(home: string): string | null {
  try {
    const { bavail, bsize } = statfsSync(home);
    return bavail * bsize < ROOM_BYTES_MIN
      ? `The control plane's disk (${home}) is full; free space there.`
      : null;
  } catch {
    // A home that is gone has other problems, and they are told elsewhere.
    return null;
  }
}

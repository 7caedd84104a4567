import { statfsSync } from "node:fs";
import { NexusError } from "@nexus/shared/errors";
import { isDiskFull } from "./core/is-disk-full.ts";

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

/** What kept a start from its end, or ended it, where that is the disk; null where it is something else, or has its own words. */
export function fullDiskRefusal(home: string, cause: unknown): NexusError | null {
  if (cause instanceof NexusError) return null;
  const text = fullDiskText(home);
  if (text !== null) return new NexusError("disk_full", { detail: text, cause });
  if (!isDiskFull(cause)) return null;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new NexusError("disk_full", { detail: `There is no room on a disk that is needed: ${why}.`, cause });
}

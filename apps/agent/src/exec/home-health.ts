/**
 * Whether jobs can be started in the agent's home at all: asked of the disk by writing to it, since free space alone tells
 * nothing of quotas, reserved blocks, read-only mounts and disks that fail.
 */
import { closeSync, fdatasyncSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { NodeFault } from "@nexus/shared/protocol/messages";

export type DiskFaultCode = "disk_full" | "home_unwritable" | "home_failing";

const FAULT_OF: Record<string, DiskFaultCode> = {
  ENOSPC: "disk_full",
  EDQUOT: "disk_full",
  EROFS: "home_unwritable",
  EACCES: "home_unwritable",
  EPERM: "home_unwritable",
};

/** A job's order, its record and the journal's line take a fraction of it. */
const PROBE_BYTES = 64 * 1024;
const PROBE = Buffer.alloc(PROBE_BYTES);

export function faultOfErrno(errno: string): DiskFaultCode {
  return FAULT_OF[errno] ?? "home_failing";
}

/** Null when the home takes a file. Milliseconds on a disk that works, so it is asked only when there is a doubt. */
export function probeHome(home: string): NodeFault | null {
  const path = join(home, "probe");
  try {
    const fd = openSync(path, "w", 0o600);
    try {
      for (let written = 0; written < PROBE_BYTES; ) written += writeSync(fd, PROBE, written);
      fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
    return null;
  } catch (error) {
    return faultOf(error, home);
  } finally {
    try {
      rmSync(path, { force: true });
    } catch {
      // On a disk that takes nothing it is not there either.
    }
  }
}

/** Whether so little is free that the disk may be full. Cheap: one call, no writing. */
export function isNearlyFull(home: string): boolean {
  const space = spaceOf(home);
  return space !== null && (space.freeBytes < PROBE_BYTES || space.freeFiles === 0);
}

function faultOf(error: unknown, home: string): NodeFault {
  const errno = error instanceof Error && "code" in error ? String(error.code) : "";
  const code = faultOfErrno(errno);
  const why = error instanceof Error ? error.message : String(error);
  switch (code) {
    case "disk_full":
      return { code, message: fullText(errno, home) };
    case "home_unwritable": {
      const reason = errno === "EROFS" ? "its disk is mounted read-only" : "its user may not write there";
      return { code, message: `its home ${home} cannot be written (${reason}); make it writable again` };
    }
    default:
      return { code, message: `its home ${home} fails (${why}); look at its disk and the system's log` };
  }
}

function fullText(errno: string, home: string): string {
  if (errno === "EDQUOT") return `the disk quota at ${home} is used up; raise it or remove files there`;
  const space = spaceOf(home);
  if (space?.freeFiles === 0) return `its disk has room for no further file at ${home}; remove files there`;
  const free = space === null ? "" : ` (${Math.floor(space.freeBytes / 1024 / 1024)} MiB free at ${home})`;
  return `its disk is full${free}; free space there`;
}

/** `freeFiles` null where the file system counts none. */
function spaceOf(path: string): { freeBytes: number; freeFiles: number | null } | null {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(path);
    return { freeBytes: bavail * bsize, freeFiles: files > 0 ? ffree : null };
  } catch {
    return null;
  }
}

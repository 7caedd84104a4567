/** Real disks that are small, read-only, or promise more than they hold: mounted for a test, where the machine allows it. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type SmallDisk = { path: string; unmount(): void };

const TIMEOUT_MS = 15_000;
/** Root mounts by itself; on build machines `sudo` asks nothing. */
const AS_ROOT = process.getuid?.() === 0 ? [] : ["sudo", "-n"];

export function canMount(): boolean {
  if (process.platform !== "linux") return false;
  try {
    mountDisk("size=64k").unmount();
    return true;
  } catch {
    return false;
  }
}

/** @param options as for `mount -o` of a disk in memory, say `size=1m`. */
export function mountDisk(options: string): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), "nexus-log-disk-"));
  try {
    asRoot("mount", "-t", "tmpfs", "-o", `${options},uid=${process.getuid?.()},mode=700`, "tmpfs", path);
  } catch (error) {
    rmdirSync(path);
    throw error;
  }
  return {
    path,
    unmount() {
      asRoot("umount", path);
      rmdirSync(path);
    },
  };
}

export type ThinDisk = SmallDisk & {
  /** Gives the disk below the room that it lacked. */
  makeRoom(): void;
};

/**
 * A disk of 64 MiB over a store that has only 8, half of them taken: writes succeed, and only making them durable fails. It
 * is what thin volumes and network disks do when they run out.
 */
export function mountThinDisk(): ThinDisk {
  const below = mountDisk("size=8m");
  const image = join(below.path, "image");
  const ballast = join(below.path, "ballast");
  const path = join(below.path, "disk");
  try {
    writeFileSync(image, "");
    truncateSync(image, 64 * 1024 * 1024);
    asRoot("mkfs.ext2", "-q", "-F", "-m", "0", image);
    writeFileSync(ballast, Buffer.alloc(4 * 1024 * 1024, 1));
    mkdirSync(path);
    asRoot("mount", "-o", "loop", image, path);
    asRoot("chown", String(process.getuid?.()), path);
  } catch (error) {
    below.unmount();
    throw error;
  }
  return {
    path,
    makeRoom() {
      rmSync(ballast);
      asRoot("mount", "-o", "remount,size=64m", below.path);
    },
    unmount() {
      asRoot("umount", path);
      below.unmount();
    },
  };
}

function asRoot(...command: string[]): void {
  const [program = "", ...args] = [...AS_ROOT, ...command];
  const { status, stderr, error } = spawnSync(program, args, { timeout: TIMEOUT_MS, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command.join(" ")}: ${stderr}`, { cause: error });
}

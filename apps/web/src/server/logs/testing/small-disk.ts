/** Real disks that are small, read-only, or promise more than they hold: mounted for a test, where the machine allows it. */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
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
  let disk: SmallDisk;
  try {
    writeFileSync(image, "");
    truncateSync(image, 64 * 1024 * 1024);
    asRoot("mkfs.ext2", "-q", "-F", "-m", "0", image);
    writeFileSync(ballast, Buffer.alloc(4 * 1024 * 1024, 1));
    disk = mountImage(image, join(below.path, "disk"));
  } catch (error) {
    below.unmount();
    throw error;
  }
  return {
    path: disk.path,
    makeRoom() {
      rmSync(ballast);
      asRoot("mount", "-o", "remount,size=64m", below.path);
    },
    unmount() {
      disk.unmount();
      below.unmount();
    },
  };
}

export type CuttableDisk = SmallDisk & {
  /** The same disk after the power was cut now: only what had reached it is there. */
  afterPowerCut(): SmallDisk;
};

/** A journaled disk in a file, which can be looked at as it would be found after a power cut. */
export function mountCuttableDisk(): CuttableDisk {
  const below = mountDisk("size=160m");
  const image = join(below.path, "image");
  const cutImage = join(below.path, "cut-image");
  let disk: SmallDisk;
  try {
    writeFileSync(image, "");
    truncateSync(image, 64 * 1024 * 1024);
    asRoot("mkfs.ext4", "-q", "-F", image);
    // No commit of the journal by itself while the image is copied.
    disk = mountImage(image, join(below.path, "disk"), ",commit=300");
  } catch (error) {
    below.unmount();
    throw error;
  }
  return {
    path: disk.path,
    afterPowerCut() {
      copyFileSync(image, cutImage);
      return mountImage(cutImage, join(below.path, "cut-disk"));
    },
    unmount() {
      disk.unmount();
      below.unmount();
    },
  };
}

function mountImage(image: string, path: string, options = ""): SmallDisk {
  mkdirSync(path);
  asRoot("mount", "-o", `loop${options}`, image, path);
  asRoot("chown", String(process.getuid?.()), path);
  return { path, unmount: () => asRoot("umount", path) };
}

function asRoot(...command: string[]): void {
  const [program = "", ...args] = [...AS_ROOT, ...command];
  const { status, stderr, error } = spawnSync(program, args, { timeout: TIMEOUT_MS, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command.join(" ")}: ${stderr}`, { cause: error });
}

/**
 * A cgroup (v2) per job where this user may make them: the one way to end a process that has left the job's process group
 * and cleared its environment. Only the job is inside, never its supervisor, so `cgroup.kill` leaves the record's writer
 * alive.
 *
 * A process that changes its group waits for a grace period of the kernel: 10 to 20 ms, unless another did so just before.
 * A job that holds GPUs takes that time and enters by itself before it becomes its command. Any other starts at once and is
 * moved a moment later, with what it has forked; one that is over by then needs no group.
 */
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join, posix } from "node:path";

export type JobCgroups = {
  /** Where that of an attempt is, once it is made. */
  directoryOf(attempt: string): string;
  /** Makes one and gives its directory; null when it cannot be made now. */
  make(attempt: string): string | null;
  /** Removes those of attempts that are not known any more, and the parent of none. */
  sweep(known: { has(attempt: string): boolean }): void;
};

/**
 * Null where there is no cgroup v2 below which this user may make groups: in most containers, and on macOS.
 * @param home gives the parent its name, since two agents may run in one cgroup.
 */
export function openJobCgroups(home: string): JobCgroups | null {
  const own = ownDirectory();
  if (own === null) return null;
  const parent = join(own, `nexus-jobs-${createHash("sha256").update(home).digest("hex").slice(0, 8)}`);
  try {
    // To move a process, its old and new group need a common ancestor whose member list this user may write.
    accessSync(join(own, "cgroup.procs"), constants.W_OK);
    mkdirSync(parent, { recursive: true });
    // Kernels before 5.14 have none.
    accessSync(join(parent, "cgroup.kill"), constants.W_OK);
    removeCgroup(parent);
  } catch {
    return null;
  }
  const directoryOf = (attempt: string) => join(parent, attempt);
  return {
    directoryOf,
    make(attempt) {
      const directory = directoryOf(attempt);
      try {
        mkdirSync(directory, { recursive: true });
        return directory;
      } catch {
        return null;
      }
    },
    sweep(known) {
      for (const attempt of groupsIn(parent)) if (!known.has(attempt)) removeCgroup(join(parent, attempt));
      removeCgroup(parent);
    },
  };
}

/**
 * Moves a process that runs, and all that descends from it, into a group that is made for them. False when the process had
 * ended, or may not be moved.
 */
export async function enterCgroup(directory: string, pid: number): Promise<boolean> {
  try {
    await mkdir(directory, { recursive: true });
    await moveTree(directory, pid);
    return true;
  } catch {
    return false;
  }
}

/** The parent first: what it forks from then on is inside by birth. */
async function moveTree(directory: string, pid: number): Promise<void> {
  await writeFile(join(directory, "cgroup.procs"), String(pid));
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "latin1").catch(() => "");
  // A child that has ended meanwhile needs no move.
  for (const child of children.split(" ").filter(Boolean)) {
    await moveTree(directory, Number(child)).catch(() => undefined);
  }
}

/** Kills all inside with SIGKILL, atomically against forks. */
export function killCgroup(directory: string): void {
  try {
    writeFileSync(join(directory, "cgroup.kill"), "1");
  } catch {
    // It is gone, or is no longer ours: the scan for processes finds what is left.
  }
}

export function cgroupPids(directory: string): number[] {
  try {
    return readFileSync(join(directory, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** False also where it cannot be told. */
export function cgroupIsEmpty(directory: string): boolean {
  try {
    return readFileSync(join(directory, "cgroup.events"), "latin1").includes("populated 0");
  } catch {
    return false;
  }
}

/** A group with processes stays; a leftover then keeps its name. */
export function removeCgroup(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Busy or gone. What stays is swept at the next start.
  }
}

function groupsIn(parent: string): string[] {
  try {
    const entries = readdirSync(parent, { withFileTypes: true });
    return entries.flatMap((entry) => (entry.isDirectory() ? entry.name : []));
  } catch {
    return [];
  }
}

/** As above, off the event loop: the kernel may make the caller wait for its own clearing up. */
export async function dropCgroup(directory: string | null): Promise<void> {
  if (directory === null || !existsSync(directory)) return;
  try {
    await rmdir(directory);
  } catch {
    // See above.
  }
}

function ownDirectory(): string | null {
  try {
    const own = /^0::(\/.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1];
    const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
    const mount = mounts.find((line) => line.includes(" - cgroup2 "))?.split(" ");
    const [root, point] = [mount?.[3], mount?.[4]];
    if (own === undefined || root === undefined || point === undefined) return null;
    const directory = join(point, posix.relative(root, own));
    return existsSync(join(directory, "cgroup.procs")) ? directory : null;
  } catch {
    return null;
  }
}

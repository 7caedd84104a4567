import { spawnSync } from "node:child_process";
import { statfsSync } from "node:fs";

const FILL_TRIES_MAX = 50;

/** A disk of its own under a folder (tmpfs), that can be made full and empty again by changing its size. */
export class SmallDisk {
  readonly path: string;
  private readonly sizeMib: number;

  private constructor(path: string, sizeMib: number) {
    this.path = path;
    this.sizeMib = sizeMib;
  }

  static canMount(): boolean {
    return process.platform === "linux" && process.getuid?.() === 0;
  }

  static mount(path: string, sizeMib: number, mode = "0700"): SmallDisk {
    run("mount", ["-t", "tmpfs", "-o", `size=${sizeMib}m,mode=${mode}`, "tmpfs", path]);
    return new SmallDisk(path, sizeMib);
  }

  /**
   * No byte more fits: the disk is as large as what is on it. Whoever wrote between the look and the
   * remount is why the kernel refuses one that has become too small, so it is looked at again.
   */
  fill(): void {
    for (let tries = 1; ; tries += 1) {
      const { blocks, bfree, bsize } = statfsSync(this.path);
      const usedKib = Math.max(4, Math.ceil(((blocks - bfree) * bsize) / 1024));
      try {
        run("mount", ["-o", `remount,size=${usedKib}k`, this.path]);
        return;
      } catch (error) {
        if (tries === FILL_TRIES_MAX) throw error;
      }
    }
  }

  free(): void {
    run("mount", ["-o", `remount,size=${this.sizeMib}m`, this.path]);
  }

  unmount(): void {
    run("umount", ["-l", this.path]);
  }
}

function run(program: string, args: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}: ${stderr}`);
}

/**
 * What keeps this node from starting jobs, from when it is first met until a look finds it gone.
 *
 * Owns: the faults that are present, and the timer of the next look. States of a fault: absent, present. Invariants: whoever
 * listens is told of every change, and of nothing else; a fault of the disk is over only when the home took a file; the looks
 * of a fault that stays come seldomer and seldomer, up to the slowest pace. While jobs run, a disk that fills up is found
 * without anybody asking for a start.
 */
import type { NodeFault } from "@nexus/shared/protocol/messages";
import { type DiskFaultCode, isNearlyFull, probeHome } from "./exec/home-health.ts";

export type NodeFaults = {
  /** Begins to look. */
  start(): void;
  /** A start met it. @returns it in words. */
  meet(code: DiskFaultCode, why: string): NodeFault;
  /** The launcher is up or down; its own word decides. */
  setLauncher(why: string | null): void;
  list(): NodeFault[];
  close(): void;
};

export type NodeFaultsOptions = {
  home: string;
  hasJobs(): boolean;
  onChange(faults: NodeFault[]): void;
  /** The disk has become full just now, or has room again. */
  onDiskFull(isFull: boolean): void;
  paces?: Partial<typeof PACES>;
};

const PACES = {
  /** Between looks at a fault: doubled each time. A look writes 64 KiB. */
  lookMsMin: 1_000,
  lookMsMax: 15_000,
  /** Between looks at the free space: 20 µs each. */
  watchMs: 1_000,
  idleWatchMs: 5_000,
};

export function createNodeFaults(options: NodeFaultsOptions): NodeFaults {
  const { home, onChange } = options;
  const { lookMsMin, lookMsMax, watchMs, idleWatchMs } = { ...PACES, ...options.paces };
  let disk: NodeFault | null = null;
  let launcher: NodeFault | null = null;
  let told = "[]";
  let waitMs = lookMsMin;
  let calmMs = 0;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;

  const list = () => [disk, launcher].filter((fault) => fault !== null);

  function setDisk(fault: NodeFault | null): void {
    const wasFull = disk?.code === "disk_full";
    const isFull = fault?.code === "disk_full";
    if (disk === null && fault !== null) waitMs = lookMsMin;
    disk = fault;
    tell();
    if (isFull !== wasFull) options.onDiskFull(isFull);
  }

  /** The free space counts on while a disk is full, and is no news. */
  function tell(): void {
    const now = JSON.stringify(list().map(({ code }) => code));
    if (now === told) return;
    told = now;
    onChange(list());
  }

  function look(): void {
    if (disk !== null) {
      setDisk(probeHome(home));
      waitMs = Math.min(waitMs * 2, lookMsMax);
    } else if (isNearlyFull(home)) {
      setDisk(probeHome(home));
      // What is left is kept for root, and this is root: no need to try it every second.
      if (disk === null) calmMs = lookMsMax;
    }
    if (!isClosed) plan();
    calmMs = 0;
  }

  function plan(): void {
    clearTimeout(timer);
    const pauseMs = disk !== null ? waitMs : options.hasJobs() ? watchMs : idleWatchMs;
    timer = setTimeout(look, Math.max(pauseMs, calmMs)).unref();
  }

  return {
    start: plan,
    meet(code, why) {
      if (disk?.code === code) return disk;
      // What the disk says now has the sizes in it; if it is well already, the next look finds the same.
      const fault = probeHome(home) ?? { code, message: why };
      setDisk(fault);
      plan();
      return fault;
    },
    setLauncher(why) {
      launcher =
        why === null
          ? null
          : {
              code: "launcher_down",
              message: `its launcher of jobs does not start (${why}); launcher.log in ${home} has more`,
            };
      tell();
    },
    list,
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

/** Picks the GPU driver of this machine: what `NEXUS_GPUS` says, else what is found. */
import { access, constants } from "node:fs/promises";
import { delimiter } from "node:path";
import { createAmdDriver } from "./amd.ts";
import { readAmdGpus } from "./amd-sysfs.ts";
import { createNoneDriver, type GpuDriver } from "./driver.ts";
import { parseGpuSetting } from "./gpu-setting.ts";
import { createNvidiaDriver } from "./nvidia.ts";
import { createProcessOwners } from "./process-owner.ts";
import { createSimulatedDriver } from "./simulated.ts";
import { createUserNames } from "./user-names.ts";

export type GpuDriverOptions = {
  /** The value of `NEXUS_GPUS`. */
  setting: string | undefined;
  /** The value of `PATH`, where nvidia-smi is looked for. */
  searchPath: string;
  /** Something that stays with the node, for the UUIDs of simulated devices. */
  seed: string;
  /** Monotonic. */
  nowMs: () => number;
  pace?: Partial<GpuPace>;
  roots?: Partial<GpuRoots>;
};

export type GpuPace = {
  gpuIntervalMs: number;
  processIntervalMs: number;
  /** nvidia-smi counts as hung after three intervals, but not before this. */
  silenceMsMin: number;
  backoffMsMin: number;
  backoffMsMax: number;
};

/** Where the machine tells of itself; a test may lay out its own. */
export type GpuRoots = { proc: string; sys: string; passwd: string };

const PACE: GpuPace = {
  gpuIntervalMs: 2_000,
  processIntervalMs: 5_000,
  silenceMsMin: 10_000,
  backoffMsMin: 1_000,
  backoffMsMax: 60_000,
};
const ROOTS: GpuRoots = { proc: "/proc", sys: "/sys", passwd: "/etc/passwd" };
/** Where Windows puts it for its Linux guests; not in every PATH. */
const WSL_FOLDER = "/usr/lib/wsl/lib";

export async function createGpuDriver(options: GpuDriverOptions): Promise<GpuDriver> {
  const setting = parseGpuSetting(options.setting);
  const pace = { ...PACE, ...options.pace };
  const roots = { ...ROOTS, ...options.roots };
  const { nowMs } = options;
  if (setting.kind === "none") return createNoneDriver(null);
  if (setting.kind === "simulated") {
    return createSimulatedDriver({ ...setting, seed: options.seed, nowMs, intervalMs: pace.gpuIntervalMs });
  }
  const getent = await findExecutable("getent", options.searchPath);
  const userNames = createUserNames({ passwdPath: roots.passwd, getent });
  const owners = createProcessOwners({ procRoot: roots.proc, userNames });
  const command = await findExecutable("nvidia-smi", `${options.searchPath}${delimiter}${WSL_FOLDER}`);
  const hasAmd = (await readAmdGpus(roots.sys)).length > 0;
  // A left-over nvidia-smi on a machine with AMD cards only fails for ever; the kernel module's folder tells.
  if (command !== null && (!hasAmd || (await exists(`${roots.proc}/driver/nvidia`)))) {
    return createNvidiaDriver({ ...pace, command, owners, nowMs, procRoot: roots.proc });
  }
  if (hasAmd) return createAmdDriver({ sysRoot: roots.sys, owners, nowMs, intervalMs: pace.gpuIntervalMs });
  return createNoneDriver(null);
}

export async function findExecutable(name: string, searchPath: string): Promise<string | null> {
  for (const folder of searchPath.split(delimiter)) {
    if (!folder.startsWith("/")) continue;
    const path = `${folder}/${name}`;
    if (await exists(path, constants.X_OK)) return path;
  }
  return null;
}

function exists(path: string, mode: number = constants.F_OK): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

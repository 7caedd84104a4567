import type { CliContext } from "./cli-context.ts";
import { createGpuDriver } from "./gpu/create-gpu-driver.ts";
import type { GpuDriver } from "./gpu/driver.ts";

/** @param seed stays with the node: simulated devices keep their UUIDs by it. */
export function openGpuDriver(context: CliContext, seed: string): Promise<GpuDriver> {
  return createGpuDriver({
    setting: context.env.NEXUS_GPUS,
    searchPath: context.env.PATH ?? "",
    seed,
    nowMs: () => performance.now(),
  });
}

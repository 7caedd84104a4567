import type { GpuSample } from "@nexus/shared/protocol/messages";
import type { GpuUse } from "../../core/scheduler/snapshot.ts";

/**
 * Memory that no visible process explains, up to this, is the driver's own: an idle card shows some hundred MiB. Above it
 * somebody in a container or under another user holds it.
 */
const DRIVER_MIB = 1024;

/**
 * Whose memory a sample shows. `isSettled` says that the sample is younger than the last job of ours that left the GPU; before
 * that, unexplained memory is most likely that job's, on its way out.
 */
export function gpuUseOf(
  sample: GpuSample,
  { sampledAtMs, isSettled }: { sampledAtMs: number; isSettled: boolean },
): GpuUse {
  const attemptMib = new Map<string, number>();
  const users = new Set<string>();
  let foreignMib = 0;
  let explainedMib = 0;
  for (const process of sample.processes) {
    const memoryMib = process.memoryMib ?? 0;
    explainedMib += memoryMib;
    if (process.attempt !== null) {
      attemptMib.set(process.attempt, (attemptMib.get(process.attempt) ?? 0) + memoryMib);
    } else if (memoryMib > 0) {
      foreignMib += memoryMib;
      users.add(process.user ?? "an unknown user");
    }
  }
  const unexplainedMib = (sample.memoryUsedMib ?? 0) - explainedMib;
  if (isSettled && unexplainedMib > DRIVER_MIB) {
    foreignMib += unexplainedMib;
    users.add("processes that the node cannot see");
  }
  return { sampledAtMs, foreignMib: Math.round(foreignMib), foreignUsers: [...users].sort(), attemptMib };
}

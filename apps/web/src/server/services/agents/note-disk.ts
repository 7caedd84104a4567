import { isDiskLow, lowDiskText } from "@nexus/shared/low-disk";
import type { HostSample } from "@nexus/shared/protocol/messages";
import type { LiveTarget } from "../fleet/live-fleet.ts";

/**
 * Says of a target that its disk is low, from what each sample tells: so it is known at once, and after a restart of ours as
 * well. Something else that its node had to say keeps its place.
 */
export function noteDisk(target: LiveTarget, host: HostSample, nowMs: number): void {
  const { notice } = target;
  const wasLow = notice?.code === "disk_low";
  if (host.diskFreeMib === null || (notice !== null && !wasLow)) return;
  const room = { freeMib: host.diskFreeMib, totalMib: host.diskTotalMib ?? null };
  const atMs = wasLow ? notice.atMs : nowMs;
  target.notice = isDiskLow(room, wasLow)
    ? { level: "warning", code: "disk_low", message: lowDiskText(room), atMs }
    : null;
}

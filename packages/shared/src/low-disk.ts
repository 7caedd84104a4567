/** When a node's disk counts as low. The agent tells its person, the control plane shows it on the target: by the same words. */
export type DiskRoom = { freeMib: number; totalMib: number | null };

const GIB_MIB = 1024;
/** Less than this, and logs and exit records are in danger at once. */
const LOW_MIB_MIN = 512;
/** Of a large disk: a checkpoint of a large model or two, which is minutes of a warning. */
const LOW_MIB_MAX = 16 * GIB_MIB;
const LOW_SHARE = 0.05;
/** Over only with a quarter more, so that a disk on the edge is told once. */
const WELL_FACTOR = 1.25;

/** @param wasLow what was said of it last. */
export function isDiskLow({ freeMib, totalMib }: DiskRoom, wasLow: boolean): boolean {
  const bySize = Math.min(Math.max((totalMib ?? 0) * LOW_SHARE, LOW_MIB_MIN), LOW_MIB_MAX);
  // A small disk is not low all its life.
  const lowMib = totalMib === null ? bySize : Math.min(bySize, totalMib / 2);
  return freeMib < (wasLow ? lowMib * WELL_FACTOR : lowMib);
}

export function lowDiskText({ freeMib, totalMib }: DiskRoom): string {
  const of = totalMib === null ? "" : ` of ${sizeText(totalMib)}`;
  return `The disk of its home is low: ${sizeText(freeMib)}${of} free. Once it is full, jobs lose output and none is started; free space there.`;
}

function sizeText(mib: number): string {
  return mib < GIB_MIB ? `${mib} MiB` : `${(mib / GIB_MIB).toFixed(1)} GiB`;
}

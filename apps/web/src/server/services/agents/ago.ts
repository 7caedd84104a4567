const AGO_MS_MAX = 10 * 366 * 86_400_000;

/** When something was, that a node says happened so long ago. A node's number never takes us out of what dates can hold. */
export function agoMs(nowMs: number, ms: number): number {
  return nowMs - Math.min(Math.max(0, ms), AGO_MS_MAX);
}

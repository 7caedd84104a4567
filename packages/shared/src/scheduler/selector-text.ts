/** Where a queue's jobs may run, as people read it: `gpu1, gpu2 with role=train`; empty for a queue that runs anywhere. */
export function selectorText(selector: {
  labels: Readonly<Record<string, string>>;
  targets: readonly string[];
}): string {
  const labels = Object.entries(selector.labels)
    .map(([key, value]) => `${key}=${value}`)
    .sort();
  const targets = selector.targets.toSorted();
  return [targets.join(", "), labels.join(", ")].filter((part) => part !== "").join(" with ");
}

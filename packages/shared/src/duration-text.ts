/** A span of time in whole units that have passed, two at most: 42s, 12m 04s, 3h 12m, 2d 4h; what is even has one: 30m. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return joined(`${minutes}m`, seconds % 60, "s");
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return joined(`${hours}h`, minutes % 60, "m");
  const left = hours % 24;
  return left === 0 ? `${Math.floor(hours / 24)}d` : `${Math.floor(hours / 24)}d ${left}h`;
}

function joined(big: string, small: number, unit: string): string {
  return small === 0 ? big : `${big} ${String(small).padStart(2, "0")}${unit}`;
}

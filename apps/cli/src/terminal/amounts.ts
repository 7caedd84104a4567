/** Amounts as people read them, with no false precision. */
import { durationText } from "@nexus/shared/duration-text";

export function agoText(ms: number): string {
  return ms < 1000 ? "now" : `${durationText(ms)} ago`;
}

/** The time of the day as the clock of this machine has it; with the day, when that is another than today. */
export function clockText(atMs: number, nowMs: number): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const at = new Date(atMs);
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
  if (at.toDateString() === new Date(nowMs).toDateString()) return time;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

export function memoryText(mib: number): string {
  if (mib < 1024) return `${mib} MiB`;
  const gib = mib / 1024;
  return `${gib < 10 && !Number.isInteger(gib) ? gib.toFixed(1) : Math.round(gib)} GiB`;
}

export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let amount = bytes;
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${unit === 0 || amount >= 10 ? Math.round(amount) : amount.toFixed(1)} ${units[unit]}`;
}

export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

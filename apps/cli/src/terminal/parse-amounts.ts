import { NexusError } from "@nexus/shared/errors";

const MS_OF: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const MIB_OF: Record<string, number> = {
  "": 1,
  m: 1,
  mib: 1,
  mb: 1e6 / 2 ** 20,
  g: 1024,
  gib: 1024,
  gb: 1e9 / 2 ** 20,
  t: 2 ** 20,
  tib: 2 ** 20,
  tb: 1e12 / 2 ** 20,
};

export const DAY_MS = 86_400_000;

/** @throws NexusError that names both ends. */
export function within(
  value: number,
  what: string,
  { min, max, show = String }: { min: number; max: number; show?: (value: number) => string },
): number {
  if (value >= min && value <= max) return value;
  throw new NexusError("bad_request", { detail: `${what}: from ${show(min)} to ${show(max)}.` });
}

/** `90s`, `10m`, `1h30m`, `2d`; a bare number is seconds. */
export function parseDurationMs(text: string, what: string): number {
  const compact = text.trim().toLowerCase();
  if (/^\d+(\.\d+)?$/.test(compact)) return Math.round(Number(compact) * 1000);
  const parts = [...compact.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== compact) {
    throw new NexusError("bad_request", {
      detail: `${what}: "${text}" is no duration. Write 90s, 10m, 1h30m or 2d.`,
    });
  }
  return Math.round(
    parts.reduce((sum, [, amount, unit = ""]) => sum + Number(amount) * (MS_OF[unit] ?? 0), 0),
  );
}

/** `20GiB`, `20G`, `512MiB`, `20GB` (powers of ten); a bare number is MiB. */
export function parseMemoryMib(text: string, what: string): number {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(text.trim().toLowerCase()) ?? [];
  const factor = MIB_OF[unit];
  const mib = Math.ceil(Number(amount) * (factor ?? Number.NaN));
  if (Number.isSafeInteger(mib) && mib > 0) return mib;
  throw new NexusError("bad_request", {
    detail: `${what}: "${text}" is no amount of memory. Write 20GiB or 512MiB.`,
  });
}

export function parseCount(text: string, what: string): number {
  if (/^\d{1,9}$/.test(text.trim())) return Number(text);
  throw new NexusError("bad_request", { detail: `${what}: "${text}" is no whole number.` });
}

export function parseInteger(text: string, what: string): number {
  if (/^[+-]?\d{1,9}$/.test(text.trim())) return Number(text);
  throw new NexusError("bad_request", { detail: `${what}: "${text}" is no whole number.` });
}

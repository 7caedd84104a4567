/**
 * Matches pressed keys with shortcuts. Pure. A sequence ("g j") stays open for SEQUENCE_MS after its first key.
 */
export const SEQUENCE_MS = 1200;

export type KeyPress = { key: string; mod: boolean; alt: boolean; atMs: number };
export type Pending = { keys: string; atMs: number } | null;

/** @returns the shortcut that is now complete, or what stays open. */
export function matchKey(
  press: KeyPress,
  pending: Pending,
  shortcuts: readonly string[],
): { matched: string | null; pending: Pending } {
  const name = keyName(press);
  if (name === null) return { matched: null, pending };
  const before = pending && press.atMs - pending.atMs <= SEQUENCE_MS ? `${pending.keys} ` : "";
  for (const candidate of before ? [before + name, name] : [name]) {
    if (shortcuts.includes(candidate)) return { matched: candidate, pending: null };
    if (shortcuts.some((keys) => keys.startsWith(`${candidate} `))) {
      return { matched: null, pending: { keys: candidate, atMs: press.atMs } };
    }
  }
  return { matched: null, pending: null };
}

function keyName(press: KeyPress): string | null {
  if (["Shift", "Control", "Alt", "Meta"].includes(press.key)) return null;
  const key = press.key.length === 1 ? press.key : press.key.toLowerCase();
  if (press.alt) return `alt+${key}`;
  return press.mod ? `mod+${key.toLowerCase()}` : key;
}

/**
 * Text from outside on its way into Postgres, which stores neither NUL nor half of a surrogate pair: one such character
 * would fail the whole batch that it travels in.
 */
export function cleanText(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}

export function isCleanText(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

/** The same for every string in plain data. */
export function cleanData<T>(value: T): T {
  if (typeof value === "string") return cleanText(value) as T;
  if (Array.isArray(value)) return value.map(cleanData) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [cleanText(key), cleanData(inner)]),
  ) as T;
}

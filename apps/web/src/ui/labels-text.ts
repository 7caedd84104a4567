/** Labels as people type them: `role=inference rack=b2 fast`. */
export function parseLabels(text: string): Record<string, string> {
  const words = text.split(/[\s,]+/).filter(Boolean);
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf("=");
      return at === -1 ? [word, ""] : [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}

export function formatLabels(labels: Record<string, string>): string {
  return Object.entries(labels)
    .map(([key, value]) => (value === "" ? key : `${key}=${value}`))
    .join(" ");
}

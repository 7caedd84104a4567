/**
 * Text of the server (names, messages, commands) as a terminal may see it: control characters would move its cursor, set its title
 * or write its clipboard, and bidirectional overrides would show words in an order that was not written. They become visible.
 */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for.
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (char) =>
    char === "\n" || char === "\t" ? " " : `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** JSON for a terminal or a pipe. The C1 controls are legal in JSON and act on a terminal, so they are escaped too. */
export function plainJson(value: unknown, indent?: number): string {
  const visible = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value, null, indent).replace(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, visible);
}

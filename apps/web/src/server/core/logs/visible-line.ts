/** ECMA-48: control sequences, strings (titles, links) and short escapes. One that is not ended goes to the end of the line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one.
const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]?|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)/g;

/** A line as a terminal leaves it: without escape sequences, and of what a carriage return overwrote only the last. */
export function visibleLine(line: string): string {
  const text = line.includes("\x1b") ? line.replace(ESCAPES, "") : line;
  let end = text.length;
  while (end > 0 && text[end - 1] === "\r") end -= 1;
  const start = text.lastIndexOf("\r", end - 1) + 1;
  return start === 0 && end === text.length ? text : text.slice(end === 0 ? 0 : start, end);
}

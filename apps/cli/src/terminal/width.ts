/** Columns that a character takes: none for combining marks, two for the wide ones of East Asia and for emoji. */
const ZERO = /^(\p{Mn}|\p{Me}|[\u200b-\u200d]|[\ufe00-\ufe0f])$/u;
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]$/u;

export function displayWidth(text: string): number {
  let width = 0;
  for (const char of text) width += charWidth(char);
  return width;
}

/** Cut to `columns`, with an ellipsis where something is missing. */
export function fitWidth(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  if (columns <= 1) return columns === 1 ? "…" : "";
  let kept = "";
  let width = 0;
  for (const char of text) {
    if (width + charWidth(char) > columns - 1) break;
    kept += char;
    width += charWidth(char);
  }
  return `${kept}…`;
}

function charWidth(char: string): number {
  if (ZERO.test(char)) return 0;
  return WIDE.test(char) ? 2 : 1;
}

/** In lines of at most `columns`, broken at spaces where there are any. At least one line. */
export function wrapWidth(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  let width = 0;
  const flush = () => {
    lines.push(line.trimEnd());
    line = "";
    width = 0;
  };
  for (const word of text.match(/\S+\s*|\s+/g) ?? []) {
    if (width > 0 && width + displayWidth(word.trimEnd()) > columns) flush();
    for (const char of word) {
      // A space at the end of a full line is where it was broken.
      if (width + charWidth(char) > columns && width > 0) {
        if (char === " ") continue;
        flush();
      }
      line += char;
      width += charWidth(char);
    }
  }
  if (line !== "" || lines.length === 0) flush();
  return lines;
}

/**
 * What a job wrote, as a terminal may see it. Owns the state of one stream: bytes of a character or a sequence that a chunk cut in two.
 * Kept: text, newline, tab, return and backspace (progress bars), colours (SGR) and "erase in line". Dropped: whatever else moves the
 * cursor, sets the title, writes the clipboard, answers back or changes modes. Invariant: how the bytes were cut changes nothing, and a
 * sequence without an end hides no more than the rest of its line.
 */
export type Tamer = {
  tame(bytes: Uint8Array): string;
  /** What resets the colours that are still on; empty where none is. */
  end(): string;
};

const SEQUENCE_CHARS_MAX = 256;

type State = "text" | "escape" | "intermediate" | "control" | "string" | "stringEscape";

export function createTamer(): Tamer {
  const decoder = new TextDecoder();
  let state: State = "text";
  let sequence = "";
  let isColoured = false;

  /** @returns what is shown for this character. */
  function take(char: string): string {
    const code = char.codePointAt(0) ?? 0;
    switch (state) {
      case "text":
        return takeText(char, code);
      case "escape":
        return takeEscape(char, code);
      case "intermediate":
        if (code >= 0x20 && code <= 0x2f) return "";
        return leave(char, code, code >= 0x30 && code <= 0x7e);
      case "control":
        return takeControl(char, code);
      case "string":
        if (code === 0x1b) state = "stringEscape";
        else if (code === 0x07 || code === 0x9c || code === 0x18 || code === 0x1a) state = "text";
        else if (char === "\n") return leave(char, code, false);
        return "";
      case "stringEscape":
        if (char === "\\") {
          state = "text";
          return "";
        }
        state = "escape";
        return takeEscape(char, code);
    }
  }

  function takeText(char: string, code: number): string {
    if (code === 0x1b) state = "escape";
    else if (code === 0x9b) enterControl();
    else if (code === 0x90 || code === 0x98 || (code >= 0x9d && code <= 0x9f)) state = "string";
    else if (isShown(char, code)) return char;
    return "";
  }

  function takeEscape(char: string, code: number): string {
    if (char === "[") enterControl();
    else if ("]PX^_".includes(char)) state = "string";
    else if (code >= 0x20 && code <= 0x2f) state = "intermediate";
    else return leave(char, code, code >= 0x30 && code <= 0x7e);
    return "";
  }

  function takeControl(char: string, code: number): string {
    if (code >= 0x20 && code <= 0x3f && sequence.length < SEQUENCE_CHARS_MAX) {
      sequence += char;
      return "";
    }
    if (code < 0x40 || code > 0x7e) return leave(char, code, false);
    state = "text";
    if (char === "m" && /^[\d;:]*$/.test(sequence)) {
      isColoured = !/^(0*|.*;0*)$/.test(sequence);
      return `\u001b[${sequence}m`;
    }
    return char === "K" && /^[012]?$/.test(sequence) ? `\u001b[${sequence}K` : "";
  }

  function enterControl(): void {
    state = "control";
    sequence = "";
  }

  /** The sequence is over: with this character, or it was broken off before it. */
  function leave(char: string, code: number, isItsEnd: boolean): string {
    state = "text";
    return isItsEnd ? "" : takeText(char, code);
  }

  return {
    tame(bytes) {
      let shown = "";
      for (const char of decoder.decode(bytes, { stream: true })) shown += take(char);
      return shown;
    },
    end() {
      const reset = isColoured ? "\u001b[0m" : "";
      isColoured = false;
      return reset;
    },
  };
}

function isShown(char: string, code: number): boolean {
  if (char === "\n" || char === "\t" || char === "\r" || char === "\b") return true;
  return code >= 0x20 && !(code >= 0x7f && code <= 0x9f);
}

/**
 * A terminal's parser, byte by byte. Owns where it stands in an escape sequence and the text style in force; both outlive
 * a chunk, so a sequence cut anywhere reads the same. It refuses nothing: what it does not know is swallowed, never shown
 * and never acted upon, so titles, clipboard writes and links (OSC), device strings and cursor moves have no effect.
 * Invariants: a newline always ends whatever sequence was open, and no buffer grows beyond PARAMETERS_MAX.
 */
import { applySgr, PLAIN, type TextStyle } from "./sgr.ts";

type AnsiMode = "ground" | "escape" | "intermediate" | "csi" | "string" | "string-escape";
/** What may outlive a row. */
export type AnsiState = { readonly mode: AnsiMode; readonly style: TextStyle };
export const START: AnsiState = { mode: "ground", style: PLAIN };

/** What one byte meant: text, a line's end, a return to its start, the line erased, or nothing to show. */
type AnsiAction = "print" | "newline" | "return" | "erase" | "none";

const PARAMETERS_MAX = 64;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const ESCAPE = 0x1b;

export class AnsiMachine {
  mode: AnsiMode;
  style: TextStyle;
  private parameters = "";

  constructor(state: AnsiState = START) {
    this.mode = state.mode;
    this.style = state.style;
  }

  step(byte: number): AnsiAction {
    if (byte === NEWLINE) {
      this.mode = "ground";
      return "newline";
    }
    switch (this.mode) {
      case "ground":
        return this.ground(byte);
      case "escape":
        return this.escape(byte);
      case "intermediate":
        if (byte === ESCAPE) this.mode = "escape";
        else if (byte >= 0x30) this.mode = "ground";
        return "none";
      case "csi":
        return this.csi(byte);
      case "string":
        if (byte === 0x07) this.mode = "ground";
        else if (byte === ESCAPE) this.mode = "string-escape";
        return "none";
      case "string-escape":
        if (byte === 0x5c) {
          this.mode = "ground";
          return "none";
        }
        return this.escape(byte);
    }
  }

  private ground(byte: number): AnsiAction {
    if (byte >= 0x20 && byte !== 0x7f) return "print";
    if (byte === 0x09) return "print";
    if (byte === RETURN) return "return";
    if (byte === ESCAPE) this.mode = "escape";
    return "none";
  }

  private escape(byte: number): AnsiAction {
    if (byte === 0x5b) {
      this.mode = "csi";
      this.parameters = "";
    } else if (byte === 0x5d || byte === 0x50 || byte === 0x58 || byte === 0x5e || byte === 0x5f) {
      this.mode = "string";
    } else if (byte >= 0x20 && byte <= 0x2f) this.mode = "intermediate";
    else if (byte === ESCAPE) this.mode = "escape";
    else return this.abort(byte, byte < 0x20 || byte >= 0x7f);
    return "none";
  }

  private csi(byte: number): AnsiAction {
    if (byte >= 0x20 && byte <= 0x3f) {
      if (this.parameters.length < PARAMETERS_MAX) this.parameters += String.fromCharCode(byte);
      return "none";
    }
    if (byte >= 0x40 && byte <= 0x7e) {
      this.mode = "ground";
      return this.finish(byte);
    }
    if (byte === ESCAPE) {
      this.mode = "escape";
      return "none";
    }
    return this.abort(byte, true);
  }

  private finish(byte: number): AnsiAction {
    if (byte === 0x6d && this.parameters.length < PARAMETERS_MAX && /^[\d;:]*$/.test(this.parameters)) {
      this.style = applySgr(this.style, this.parameters);
    }
    if (byte !== 0x4b) return "none";
    return this.parameters === "2" || this.parameters === "" || this.parameters === "0" ? "erase" : "none";
  }

  /** A sequence that cannot go on: `byte` is text again when `again`, and the sequence's own last byte otherwise. */
  private abort(byte: number, again: boolean): AnsiAction {
    this.mode = "ground";
    return again ? this.ground(byte) : "none";
  }

  /** `ESC [ K` erases to the right of the cursor, `ESC [ 2 K` the whole line; only the scanner knows where the cursor is. */
  get erasedWholeLine(): boolean {
    return this.parameters === "2";
  }

  get state(): AnsiState {
    return { mode: this.mode, style: this.style };
  }
}

/**
 * Cuts a stream of log bytes into rows, one byte after the other, so the rows do not depend on how the bytes arrived.
 * Owns the row that is still open; closed rows never change.
 * - `\n` ends a row. A lone `\r` restarts it: what stands before is overwritten, as a terminal would (progress bars).
 * - A row is cut after SEGMENT_BYTES shown bytes, between characters and outside of escape sequences where it can be, so
 *   one endless line becomes many small rows. A cut row's successor is `continued` and has the same line number.
 * - A row knows the terminal state at its first shown byte, so it can be drawn without those above.
 */
import { AnsiMachine, type AnsiState, START } from "./ansi-machine.ts";
import { PLAIN } from "./sgr.ts";

export const SEGMENT_BYTES = 4096;

export type TextRow = {
  readonly kind: "text";
  /** Byte offsets in the log. `[start, shown)` was overwritten in place; `[shown, end)` is drawn. */
  readonly start: number;
  readonly shown: number;
  readonly end: number;
  /** Line of the window, from 0. */
  readonly line: number;
  readonly continued: boolean;
  readonly state: AnsiState;
};
export type GapRow = {
  readonly kind: "gap";
  readonly start: number;
  readonly end: number;
  readonly line: number;
};
export type LogRow = TextRow | GapRow;

export class RowScanner {
  private offset: number;
  private line = 0;
  private start: number;
  private shown: number;
  private continued = false;
  private returned = false;
  private state: AnsiState = START;
  private machine = new AnsiMachine();
  private readonly emit: (row: LogRow) => void;

  constructor(offset: number, emit: (row: LogRow) => void) {
    this.offset = offset;
    this.start = offset;
    this.shown = offset;
    this.emit = emit;
  }

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      const offset = this.offset + at;
      if (offset - this.shown >= SEGMENT_BYTES) this.cutBefore(byte, offset);
      // Most bytes are plain text in a row that was not returned: nothing to do.
      if (byte >= 0x20 && !this.returned && this.machine.mode === "ground") continue;
      this.take(this.machine.step(byte), offset);
    }
    this.offset += bytes.length;
  }

  /** Bytes that the server does not have. They end the open row and any style. */
  gap(length: number): void {
    const open = this.open;
    if (open) this.emit(open);
    if (open) this.line++;
    this.emit({ kind: "gap", start: this.offset, end: this.offset + length, line: this.line });
    this.line++;
    this.offset += length;
    this.machine = new AnsiMachine();
    this.begin(this.offset, false);
  }

  /** The row that is not ended yet, or null when nothing of it has arrived. */
  get open(): TextRow | null {
    return this.offset === this.start ? null : this.row(this.offset);
  }

  get lines(): number {
    return this.line;
  }

  private take(action: ReturnType<AnsiMachine["step"]>, offset: number): void {
    switch (action) {
      case "newline":
        this.emit(this.row(offset));
        this.line++;
        this.begin(offset + 1, false);
        return;
      case "return":
        this.returned = true;
        return;
      case "print":
        if (this.returned) this.show(offset);
        return;
      case "erase":
        if (this.returned || this.machine.erasedWholeLine) this.show(offset + 1);
        return;
      case "none":
        return;
    }
  }

  private show(offset: number): void {
    this.shown = offset;
    this.returned = false;
    this.state = this.machine.state;
  }

  private cutBefore(byte: number, offset: number): void {
    if (byte === 0x0a) return;
    const length = offset - this.shown;
    const insideCharacter = (byte & 0xc0) === 0x80 && length < SEGMENT_BYTES + 3;
    const insideSequence = this.machine.mode !== "ground" && length < 2 * SEGMENT_BYTES;
    if (insideCharacter || insideSequence) return;
    this.emit(this.row(offset));
    this.begin(offset, true);
  }

  private begin(offset: number, continued: boolean): void {
    this.start = offset;
    this.shown = offset;
    this.continued = continued;
    // A return before the cut still overwrites: the next text starts the row anew, wherever it falls.
    if (!continued) this.returned = false;
    const { mode, style } = this.machine;
    this.state = mode === "ground" && style === PLAIN ? START : { mode, style };
  }

  private row(end: number): TextRow {
    return {
      kind: "text",
      start: this.start,
      shown: Math.min(this.shown, end),
      end,
      line: this.line,
      continued: this.continued,
      state: this.state,
    };
  }
}

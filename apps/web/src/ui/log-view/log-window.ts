/**
 * The part of a log that the page holds: one unbroken range `[start, end)` of byte offsets, as chunks in order, and the rows
 * cut from it. It grows at both ends and is trimmed from the far end, so a log of any size costs at most WINDOW_BYTES_MAX.
 * Invariants: chunks touch each other; the rows are those of the whole range, however it arrived; a range that the server
 * does not have is a gap row, never silence. It refuses bytes that do not touch it (`append` behind, `prepend` elsewhere).
 */
import { assert } from "@nexus/shared/assert";
import { type LogRow, RowScanner, type TextRow } from "./row-scanner.ts";
import { rowSpans, rowText, type Span } from "./spans.ts";

const WINDOW_BYTES_MAX = 32 * 1024 * 1024;
/** Browsers draw nothing beyond some height: Firefox 17.8 million px, Chromium 33.5 million, which are 890,000 rows of 20 px. */
export const WINDOW_ROWS_MAX = 800_000;
/** Trimming moves every row index, so it is done seldom and by much. */
const TRIM_TO = 0.75;
/** Small live chunks are joined up to this size: ten thousand lines a minute must not become ten thousand arrays. */
const CHUNK_JOIN_BYTES = 64 * 1024;

type Chunk = { start: number; end: number; bytes: Uint8Array | null };

export class LogWindow {
  private chunks: Chunk[] = [];
  private closed: LogRow[] = [];
  private scanner: RowScanner;
  private from: number;
  private held = 0;
  /** Number of the window's line 0 in the whole log, from 0; null where the start was never seen. */
  private lineBase: number | null;
  private readonly bytesMax: number;

  constructor(start: number, bytesMax = WINDOW_BYTES_MAX) {
    this.from = start;
    this.bytesMax = bytesMax;
    this.lineBase = start === 0 ? 0 : null;
    this.scanner = this.newScanner();
  }

  get start(): number {
    return this.from;
  }

  get end(): number {
    return this.chunks.at(-1)?.end ?? this.from;
  }

  get full(): boolean {
    return this.held >= this.bytesMax || this.rowCount >= WINDOW_ROWS_MAX;
  }

  get rowCount(): number {
    return this.closed.length + (this.scanner.open ? 1 : 0);
  }

  row(index: number): LogRow | null {
    return this.closed[index] ?? (index === this.closed.length ? this.scanner.open : null);
  }

  /** Line number for people, from 1; null where it cannot be known: the start, or something in between, is missing. */
  lineNumber(row: LogRow): number | null {
    if (this.lineBase === null || row.kind === "gap" || this.gapBefore(row.start)) return null;
    return this.lineBase + row.line + 1;
  }

  get knowsLines(): boolean {
    return this.lineBase !== null;
  }

  /** @returns false when the byte is not in the window any more. */
  setLineAt(offset: number, number: number): boolean {
    if (offset < this.from || offset > this.end) return false;
    const row = this.row(this.indexOf(offset));
    if (row === null || this.gapBefore(offset)) return false;
    this.lineBase = number - 1 - row.line;
    return true;
  }

  spans(row: TextRow): Span[] {
    return rowSpans(this.bytes(row.shown, row.end), row.state);
  }

  text(row: TextRow): string {
    return rowText(this.bytes(row.shown, row.end), row.state);
  }

  /** The row that holds `offset`: the last that begins at or before it. */
  indexOf(offset: number): number {
    let low = 0;
    let high = this.rowCount;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.row(middle)?.start ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  /** @returns how many bytes were new. A later `offset` than `end` leaves a gap; what is already held is skipped. */
  append(offset: number, bytes: Uint8Array): number {
    if (offset > this.end) this.addGap(offset - this.end);
    const fresh = bytes.subarray(Math.max(0, this.end - offset));
    if (fresh.length === 0) return 0;
    this.addChunk(fresh);
    this.scanner.push(fresh);
    return fresh.length;
  }

  /**
   * Puts the range from `start` up to here in front, from pieces in order; what they leave out is missing for good. The rows
   * are cut anew, since the first old row may have begun in these bytes.
   */
  prepend(start: number, pieces: readonly { offset: number; bytes: Uint8Array }[]): void {
    const front: Chunk[] = [];
    let at = start;
    for (const { offset, bytes } of pieces) {
      assert(offset >= at && offset + bytes.length <= this.from, "a prepended piece overlaps");
      if (offset > at) front.push({ start: at, end: offset, bytes: null });
      if (bytes.length > 0) front.push({ start: offset, end: offset + bytes.length, bytes });
      at = offset + bytes.length;
      this.held += bytes.length;
    }
    if (at < this.from) front.push({ start: at, end: this.from, bytes: null });
    this.chunks = [...front, ...this.chunks];
    this.from = start;
    this.rescan();
    if (start === 0) this.lineBase = 0;
  }

  /** Drops whole chunks from one end until the window is within its bound. */
  trim(side: "front" | "back"): void {
    if (this.held <= this.bytesMax && this.rowCount <= WINDOW_ROWS_MAX) return;
    const bytesOfRows = (this.held / this.rowCount) * WINDOW_ROWS_MAX;
    const target = Math.min(this.bytesMax, bytesOfRows) * TRIM_TO;
    if (side === "back") this.trimBack(target);
    else this.trimFront(target);
  }

  private trimFront(target: number): void {
    while (this.held > target && this.chunks.length > 1) {
      const chunk = this.chunks.shift();
      if (!chunk) break;
      this.held -= chunk.bytes?.length ?? 0;
      this.from = chunk.end;
    }
    const first = this.closed.findIndex((row) => (row.kind === "gap" ? row.start : row.shown) >= this.from);
    const kept = first === -1 ? this.closed.length : first;
    // Offsets and line numbers stay those of the log, so the rows that remain are still right.
    this.closed = this.closed.slice(kept);
  }

  private trimBack(target: number): void {
    while (this.held > target && this.chunks.length > 1) {
      this.held -= this.chunks.pop()?.bytes?.length ?? 0;
    }
    this.rescan();
  }

  private addGap(length: number): void {
    this.chunks.push({ start: this.end, end: this.end + length, bytes: null });
    this.scanner.gap(length);
  }

  private addChunk(bytes: Uint8Array): void {
    this.held += bytes.length;
    const last = this.chunks.at(-1);
    const joinMax = Math.min(CHUNK_JOIN_BYTES, this.bytesMax / 16);
    if (last?.bytes && last.bytes.length + bytes.length <= joinMax) {
      const joined = new Uint8Array(last.bytes.length + bytes.length);
      joined.set(last.bytes);
      joined.set(bytes, last.bytes.length);
      last.bytes = joined;
      last.end += bytes.length;
    } else this.chunks.push({ start: this.end, end: this.end + bytes.length, bytes });
  }

  private rescan(): void {
    const first = this.closed[0];
    const anchor = this.closed.find((row) => first && row.line > first.line && row.kind === "text");
    const anchorNumber = anchor && this.lineBase !== null ? this.lineBase + anchor.line : null;
    this.closed = [];
    this.scanner = this.newScanner();
    for (const chunk of this.chunks) {
      if (chunk.bytes) this.scanner.push(chunk.bytes);
      else this.scanner.gap(chunk.end - chunk.start);
    }
    const again = anchor ? this.row(this.indexOf(anchor.start)) : null;
    this.lineBase = again && anchorNumber !== null ? anchorNumber - again.line : null;
  }

  private newScanner(): RowScanner {
    return new RowScanner(this.from, (row) => this.closed.push(row));
  }

  private gapBefore(offset: number): boolean {
    return this.chunks.some((chunk) => chunk.bytes === null && chunk.start < offset);
  }

  private bytes(start: number, end: number): Uint8Array {
    const first = this.chunkAt(start);
    const chunk = this.chunks[first];
    if (!chunk || start >= end) return new Uint8Array();
    if (chunk.bytes && end <= chunk.end && start >= chunk.start) {
      return chunk.bytes.subarray(start - chunk.start, end - chunk.start);
    }
    const out = new Uint8Array(end - start);
    for (let at = first; at < this.chunks.length; at++) {
      const piece = this.chunks[at];
      if (!piece || piece.start >= end) break;
      if (!piece.bytes) continue;
      const from = Math.max(start, piece.start);
      out.set(piece.bytes.subarray(from - piece.start, Math.min(end, piece.end) - piece.start), from - start);
    }
    return out;
  }

  private chunkAt(offset: number): number {
    let low = 0;
    let high = this.chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.chunks[middle]?.end ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * Which objects make up a log. An object's name says the bytes that it holds, so an object is never written twice with other
 * contents, and whoever lists them knows the log. Names and numbers only, nothing is asked for.
 */
import type { Piece } from "../attempt-log.ts";

/** As many digits as the largest exact integer has, so that names sort as numbers do. */
const DIGITS = 16;
const NAME = /^(\d{16})-(\d{16})\.log$/;

export function pieceName({ offset, end }: Piece): string {
  return `${String(offset).padStart(DIGITS, "0")}-${String(end).padStart(DIGITS, "0")}.log`;
}

/** @returns null for an object that is none of ours, or not as long as its name says. */
export function pieceOf(name: string, size: number): Piece | null {
  const [, from, to] = NAME.exec(name) ?? [];
  const piece = { offset: Number(from), end: Number(to) };
  const isWhole = Number.isSafeInteger(piece.end) && size > 0 && piece.end - piece.offset === size;
  return isWhole ? piece : null;
}

/**
 * The pieces that hold the log from byte 0 up to the first hole, each reaching further than the one before. They may overlap: a
 * piece that was sent as the end of a log is sent again when it grew, and holds the same bytes at the same places.
 */
export function chainPieces(pieces: Piece[]): Piece[] {
  const chain: Piece[] = [];
  const sorted = pieces.toSorted((a, b) => a.offset - b.offset);
  for (let next = 0; ; ) {
    const end = chainEnd(chain);
    let farthest: Piece | null = null;
    for (let piece = sorted[next]; piece && piece.offset <= end; piece = sorted[++next])
      if (piece.end > (farthest?.end ?? end)) farthest = piece;
    if (farthest === null) return chain;
    chain.push(farthest);
  }
}

export function chainEnd(chain: Piece[]): number {
  return chain.at(-1)?.end ?? 0;
}

/** The piece that holds the byte. */
export function pieceAt(chain: Piece[], byte: number): Piece | null {
  return chain.find(({ end }) => byte < end) ?? null;
}

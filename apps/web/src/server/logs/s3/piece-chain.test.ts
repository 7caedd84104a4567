import * as fc from "fast-check";
import { expect, test } from "vitest";
import { chainEnd, chainPieces, pieceAt, pieceName, pieceOf } from "./piece-chain.ts";

const pieces = fc.array(
  fc
    .record({ offset: fc.nat(40), length: fc.integer({ min: 1, max: 12 }) })
    .map(({ offset, length }) => ({ offset, end: offset + length })),
  { maxLength: 30 },
);

test("[L30] pieces that overlap, in any order, are the log up to the first byte that none of them has", async () => {
  await fc.assert(
    fc.asyncProperty(pieces, async (given) => {
      const has = (byte: number) => given.some(({ offset, end }) => offset <= byte && byte < end);
      let end = 0;
      while (has(end)) end += 1;
      const chain = chainPieces(given);
      expect(chainEnd(chain)).toBe(end);
      for (let byte = 0; byte < end; byte++) {
        const piece = pieceAt(chain, byte);
        expect(piece !== null && piece.offset <= byte && byte < piece.end).toBe(true);
      }
      expect(pieceAt(chain, end)).toBeNull();
    }),
  );
});

test("[L30] a piece's name says its bytes; what is not as long as its name says is none", () => {
  const piece = { offset: 5, end: 16_777_221 };
  expect(pieceOf(pieceName(piece), 16_777_216)).toEqual(piece);
  expect(pieceOf(pieceName(piece), 16_777_215)).toBeNull();
  expect(pieceOf("notes.txt", 5)).toBeNull();
  expect(pieceOf(`${pieceName(piece)}.old`, 16_777_216)).toBeNull();
  expect(pieceOf(pieceName({ offset: 3, end: 3 }), 0)).toBeNull();
});

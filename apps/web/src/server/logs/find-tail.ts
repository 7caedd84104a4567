const BLOCK_BYTES = 64 * 1024;
const NEWLINE = 10;

export type TailQuestion = {
  size: number;
  lines: number;
  read(offset: number, limit: number): Promise<Uint8Array>;
};

/**
 * Where the last `lines` lines begin, read backwards from the end: it looks at no more bytes than whoever asked is going to
 * read. A newline at the very end ends the last line and begins none.
 */
export async function findTail({ size, lines, read }: TailQuestion): Promise<number> {
  if (lines <= 0) return size;
  let left = lines;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - BLOCK_BYTES);
    const block = await read(start, end - start);
    for (
      let at = block.lastIndexOf(NEWLINE);
      at !== -1;
      at = at === 0 ? -1 : block.lastIndexOf(NEWLINE, at - 1)
    ) {
      if (start + at === size - 1) continue;
      left -= 1;
      if (left === 0) return start + at + 1;
    }
    end = start;
  }
  return 0;
}

/**
 * A log as a chain of segments, each beginning where the one before it ends. Numbers only, no files.
 */
export type Segment = {
  /** Where in the log it begins. */
  readonly offset: number;
  size: number;
  /** So much of it survives a power cut. */
  syncedSize: number;
  /** Its file may be longer than `size`, and is cut back before anything is written to it. */
  isTorn: boolean;
};

export type SegmentFile = { offset: number; size: number };

/** Part of one segment. */
export type Span = { segment: Segment; position: number; length: number };

/**
 * What of the files found is the log: from its start up to the first hole. What lies behind a hole, and what overlaps, cannot be
 * part of a log without gaps; the node still has those bytes and sends them again. Nothing counts as synced: another process,
 * or another boot, wrote it.
 */
export function chainSegments(files: SegmentFile[], start: number): { segments: Segment[]; stale: number[] } {
  const segments: Segment[] = [];
  const stale: number[] = [];
  for (const { offset, size } of files.toSorted((a, b) => a.offset - b.offset)) {
    if (stale.length === 0 && offset === endOf(segments, start)) {
      segments.push({ offset, size, syncedSize: 0, isTorn: false });
    } else stale.push(offset);
  }
  return { segments, stale };
}

/** @param start where a log without segments ends. */
export function endOf(segments: Segment[], start: number): number {
  const last = segments.at(-1);
  return last ? last.offset + last.size : start;
}

/** The parts that hold the bytes from `start` up to `end`, in order. */
export function spansOf(segments: Segment[], start: number, end: number): Span[] {
  const spans: Span[] = [];
  for (let at = start, index = indexOf(segments, start); at < end; index++) {
    const segment = segments[index];
    if (!segment) break;
    const position = at - segment.offset;
    const length = Math.min(segment.size, end - segment.offset) - position;
    if (length > 0) spans.push({ segment, position, length });
    at += Math.max(length, 0);
  }
  return spans;
}

/** The last segment that begins at or before the byte. */
function indexOf(segments: Segment[], byte: number): number {
  let low = 0;
  let high = segments.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((segments[middle]?.offset ?? 0) <= byte) low = middle;
    else high = middle - 1;
  }
  return low;
}

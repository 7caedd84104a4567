/**
 * Memory for chunks of logs on their way to the socket. Owns: what was given back, at most `KEPT_MAX` of it. It refuses nothing:
 * what is larger than usual is made for once, and what is not given back is collected like all else.
 */
import { FRAME_HEADROOM_BYTES } from "@nexus/shared/protocol/frame";
import { LOG_CHUNK_BYTES_MAX } from "@nexus/shared/protocol/limits";

export type ChunkBuffers = {
  take(bytes: number): Buffer;
  /** Its bytes are needed no more; whoever gives it forgets it. */
  give(buffer: Buffer): void;
};

/** A chunk, the header before it, and on both sides what most secrets need to be seen whole. */
const USUAL_BYTES = FRAME_HEADROOM_BYTES + LOG_CHUNK_BYTES_MAX + 8 * 1024;
/** A job that writes line by line has many small frames on their way: each costs what it holds, and is soon collected. */
const SMALL_BYTES = 32 * 1024;
/** One is read into while the other leaves. */
const KEPT_MAX = 2;

export function createChunkBuffers(): ChunkBuffers {
  const kept: Buffer[] = [];
  return {
    take(bytes) {
      if (bytes < SMALL_BYTES) return Buffer.allocUnsafe(bytes);
      if (bytes > USUAL_BYTES) return Buffer.allocUnsafeSlow(bytes);
      return kept.pop() ?? Buffer.allocUnsafeSlow(USUAL_BYTES);
    },
    give(buffer) {
      if (buffer.length === USUAL_BYTES && kept.length < KEPT_MAX) kept.push(buffer);
    },
  };
}

/**
 * The log of one attempt that moves into an object store: its beginning lies there in pieces, its end in files here.
 *
 * Owns: what is known of the objects, and the lane of uploads. Invariants: a file is removed only after an object with the same
 * bytes is stored; each byte up to the size lies in an object or in a file, and the files always hold the end; objects are
 * never changed. Appends go on beside uploads, and while the store is away. It refuses to tell bytes that lie in the store
 * while that is away, and says so.
 */
import { NexusError } from "@nexus/shared/errors";
import { createLane } from "../../core/lane.ts";
import type { AttemptLog, LocalLog, Piece } from "../attempt-log.ts";
import { type ObjectStore, ObjectStoreError } from "./object-store.ts";
import { chainEnd, chainPieces, pieceAt, pieceName, pieceOf } from "./piece-chain.ts";

export type ArchivedLog = AttemptLog & {
  /** Sends the files that grow no more, or all that there is now, and removes them. */
  upload(how: "grown" | "all"): Promise<void>;
};

export type ArchivedLogOptions = {
  attempt: string;
  objects: ObjectStore;
  openLocal(startOf: (first: number | null) => number): Promise<LocalLog>;
  /** Begin at byte 0 when nothing can be learned: its node has all of it. */
  mayBegin: boolean;
  onProblem: (message: string) => void;
  /** So many bytes more, or fewer, lie in files. */
  onLocalBytes: (change: number) => void;
  /** There are files that grow no more. */
  onGrown: () => void;
};

/** @throws ObjectStoreError when there is nothing here and the store is away. */
export async function openArchivedLog(options: ArchivedLogOptions): Promise<ArchivedLog> {
  const { attempt, objects, mayBegin, onProblem, onLocalBytes, onGrown } = options;
  const folder = `${attempt.slice(2, 4)}/${attempt}`;
  const { run: inLane } = createLane();
  /** Null while the store was not asked. */
  let chain: Piece[] | null = null;
  let cause: unknown;
  try {
    chain = await listPieces();
  } catch (error) {
    cause = error;
  }
  let isHere = false;
  const local = await options.openLocal((first) => {
    isHere = first !== null;
    // What lies behind a hole is of no use.
    return chain === null || (first ?? 0) <= chainEnd(chain) ? (first ?? 0) : chainEnd(chain);
  });
  if (chain === null && !isHere && !mayBegin) throw cause;
  if (chain !== null) onLocalBytes(-(await local.release(chainEnd(chain))));

  async function listPieces(): Promise<Piece[]> {
    const found = await objects.list(`${folder}/`);
    const pieces = found.flatMap(({ key, size }) => pieceOf(key.slice(folder.length + 1), size) ?? []);
    const listed = chainPieces(pieces);
    const last = Math.max(0, ...pieces.map(({ end }) => end));
    if (last > chainEnd(listed))
      onProblem(`${objects.name} has a hole in the log of ${attempt} at byte ${chainEnd(listed)}.`);
    return listed;
  }

  async function known(): Promise<Piece[]> {
    chain ??= await listPieces();
    return chain;
  }

  async function append(offset: number, bytes: Uint8Array): Promise<number> {
    const before = local.size();
    const size = await local.append(offset, bytes);
    if (offset === before && size > before) onLocalBytes(bytes.byteLength);
    if (local.pieces().length > 1) onGrown();
    return size;
  }

  async function read(offset: number, limit: number): Promise<Uint8Array> {
    const end = Math.min(local.size(), offset + limit);
    if (offset >= end) return new Uint8Array(0);
    const bytes = new Uint8Array(end - offset);
    for (let at = offset; at < end; ) {
      const part = await readPart(at, end).catch((error: unknown) => {
        // Removed meanwhile: what is there now is the answer.
        if (local.size() < end) return null;
        throw error;
      });
      if (part === null) return await read(offset, limit);
      bytes.set(part, at - offset);
      at += part.byteLength;
    }
    return bytes;
  }

  /** At least one byte from there on. */
  async function readPart(at: number, end: number): Promise<Uint8Array> {
    while (at >= local.start()) {
      try {
        return await local.read(at, end - at);
      } catch (error) {
        // Uploaded while it was read.
        if (at >= local.start()) throw error;
      }
    }
    const piece = pieceAt(await known(), at);
    if (piece === null) {
      const detail = `Byte ${at} of the log of ${attempt} is gone from ${objects.name}; nobody but Nexus may remove objects there.`;
      throw new NexusError("unavailable", { detail });
    }
    const length = Math.min(end, piece.end) - at;
    return await objects.get(keyOf(piece), at - piece.offset, length);
  }

  async function upload(how: "grown" | "all"): Promise<void> {
    const pieces = local.pieces().filter(({ offset, end }) => end > offset);
    for (const piece of how === "all" ? pieces : pieces.slice(0, -1)) {
      if (piece.end > chainEnd(await known())) {
        const bytes = await local.read(piece.offset, piece.end - piece.offset);
        // Cut or removed meanwhile.
        if (bytes.byteLength < piece.end - piece.offset) return;
        await objects.put(keyOf(piece), bytes);
        chain = chainPieces([...(await known()), piece]);
      }
      onLocalBytes(-(await local.release(Math.min(piece.end, chainEnd(await known())))));
    }
  }

  async function remove(): Promise<void> {
    const found = await objects.list(`${folder}/`);
    // The last one first: whatever is left after a crash is a beginning of the log.
    for (const { key } of found.toSorted((a, b) => (a.key < b.key ? 1 : -1))) await objects.remove(key);
    chain = [];
    const bytes = local.size() - local.start();
    await local.remove();
    onLocalBytes(-bytes);
  }

  function keyOf(piece: Piece): string {
    return `${folder}/${pieceName(piece)}`;
  }

  return {
    size: local.size,
    append,
    read,
    // Durable is what the object store has.
    sync: () => inLane(() => upload("all")),
    upload: (how) => inLane(() => upload(how)),
    remove: () => inLane(remove),
  };
}

export function isAway(error: unknown): boolean {
  return error instanceof ObjectStoreError && error.trouble !== "missing";
}

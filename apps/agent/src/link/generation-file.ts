/**
 * The last generation that this node wrote down: `<home>/generation`, two slots of one sector each, written in place and in
 * turn. It is no new file each time, because a full disk takes none, and a node that cannot write its generation cannot
 * connect and say that its disk is full. A crash in the middle of a write costs that slot; the other one holds.
 */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "@nexus/shared/protocol/crc32";
import { writeDurable } from "./durable-file.ts";

const SLOT_BYTES = 512;
const SLOTS = 2;

const generationPath = (home: string) => join(home, "generation");

/** 0 for a node that never connected. */
export async function readGeneration(home: string): Promise<number> {
  const text = await readText(generationPath(home));
  const slots = Array.from({ length: SLOTS }, (_, slot) =>
    parseSlot(text.slice(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES)),
  );
  return Math.max(0, ...slots);
}

/** For a new identity: both slots are on the disk from here on. */
export async function resetGeneration(home: string): Promise<void> {
  await writeDurable(generationPath(home), slotText(0).repeat(SLOTS));
}

/** On the disk when it resolves. */
export async function saveGeneration(home: string, generation: number): Promise<void> {
  const path = generationPath(home);
  if ((await readText(path)).length !== SLOTS * SLOT_BYTES) await resetGeneration(home);
  const file = await open(path, "r+");
  try {
    await file.write(slotText(generation), (generation % SLOTS) * SLOT_BYTES, "latin1");
    await file.datasync();
  } finally {
    await file.close();
  }
}

function slotText(generation: number): string {
  const text = String(generation);
  return `${text} ${crcOf(text)}`.padEnd(SLOT_BYTES - 1, " ").concat("\n");
}

function parseSlot(slot: string): number {
  const [text = "", crc] = slot.trim().split(" ");
  return /^\d{1,15}$/.test(text) && crc === crcOf(text) ? Number(text) : 0;
}

const crcOf = (text: string) => crc32(new TextEncoder().encode(text)).toString(16);

async function readText(path: string): Promise<string> {
  try {
    const file = await open(path, "r");
    try {
      return (await file.readFile("latin1")) as string;
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

/**
 * Where the bytes of an attempt lie: `<root>/<two letters>/<attempt>/<offset>.seg`. Two letters of the id keep folders small
 * (1,024 of them at most); the offset is padded, so that names sort as numbers do.
 */
import { join } from "node:path";
import { assert } from "@nexus/shared/assert";
import { isId } from "@nexus/shared/ids";

/** As many digits as the largest exact integer has. */
const OFFSET_DIGITS = 16;
const SEGMENT_NAME = /^(\d{16})\.seg$/;
const LETTERS_START = "a_".length;
const LETTERS = 2;

export type AttemptFolders = {
  root: string;
  letters: string;
  attempt: string;
};

/** An id of any other form never becomes part of a path: a caller that lets one through has a bug. */
export function attemptFolders(root: string, attempt: string): AttemptFolders {
  assert(isId("attempt", attempt), `not the id of an attempt: ${JSON.stringify(attempt)}`);
  const letters = join(root, attempt.slice(LETTERS_START, LETTERS_START + LETTERS));
  return { root, letters, attempt: join(letters, attempt) };
}

export function segmentName(offset: number): string {
  return `${String(offset).padStart(OFFSET_DIGITS, "0")}.seg`;
}

/** @returns null for a file that is not a segment. */
export function segmentOffset(name: string): number | null {
  const digits = SEGMENT_NAME.exec(name)?.[1];
  const offset = Number(digits);
  return digits !== undefined && Number.isSafeInteger(offset) ? offset : null;
}

import { randomBytes } from "node:crypto";

/** Unguessable, so that no other process can carry it by accident or on purpose. */
export function newMark(): string {
  return randomBytes(12).toString("hex");
}

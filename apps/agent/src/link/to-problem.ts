import { NexusError } from "@nexus/shared/errors";
import type { Problem } from "../core/session.ts";
import { unreachable } from "./server-request.ts";

const DISK_TEXT: Record<string, string> = {
  ENOSPC: "its disk is full",
  EDQUOT: "its disk quota is used up",
  EROFS: "its disk is mounted read-only",
  EIO: "its disk fails",
};

/** Any failure of the world as a code and a sentence. */
export function toProblem(error: unknown, origin: string): Problem {
  const disk = error instanceof Error && "code" in error ? DISK_TEXT[String(error.code)] : undefined;
  if (disk !== undefined) {
    const path = error instanceof Error && "path" in error ? ` (${error.path})` : "";
    return { code: "disk_full", message: `The agent's home cannot be written${path}: ${disk}.` };
  }
  const refusal = error instanceof NexusError ? error : unreachable(origin, error);
  return { code: refusal.code, message: refusal.message };
}

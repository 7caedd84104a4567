import { NexusError } from "@nexus/shared/errors";

/** Why there is no room, and what to do: one sentence each, with the folder in it. */
const NO_ROOM: Record<string, (folder: string) => string> = {
  ENOSPC: (folder) =>
    `The disk that holds ${folder} is full. Free some space on it (\`df -h ${folder}\` names it).`,
  EDQUOT: (folder) =>
    `The disk quota for ${folder} is used up. Raise it, or remove files that count towards it.`,
  EROFS: (folder) =>
    `The disk that holds ${folder} is mounted read-only. Mount it writable again; the system's log says why it is not.`,
};

/** A full disk is a refusal that callers wait out; anything else stays what it is, and says which log it hit. */
export function diskProblem(cause: unknown, folder: string): Error {
  if (cause instanceof NexusError) return cause;
  const detail = NO_ROOM[errorCode(cause)]?.(folder);
  if (detail !== undefined) return new NexusError("disk_full", { detail, cause });
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Error(`A log in ${folder} cannot be written: ${why}`, { cause });
}

export function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

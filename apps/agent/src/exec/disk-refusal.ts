import { type ErrorCode, NexusError } from "@nexus/shared/errors";

const CODE_OF: Record<string, { code: ErrorCode; why: string }> = {
  ENOSPC: { code: "disk_full", why: "the disk is full" },
  EDQUOT: { code: "disk_full", why: "the disk quota is used up" },
  EROFS: { code: "forbidden", why: "the disk is mounted read-only" },
  EACCES: { code: "forbidden", why: "this user may not write there" },
  EPERM: { code: "forbidden", why: "this user may not write there" },
};

/** @param what a sentence without its end: "The journal /x cannot be written". */
export function refusalOfDisk(error: unknown, what: string): NexusError {
  const errno = error instanceof Error && "code" in error ? String(error.code) : "";
  const known = CODE_OF[errno];
  const why = known?.why ?? (error instanceof Error ? error.message : String(error));
  return new NexusError(known?.code ?? "internal", { detail: `${what}: ${why}.`, cause: error });
}

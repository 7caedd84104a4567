import { type ErrorCode, NexusError } from "@nexus/shared/errors";
import { type DiskFaultCode, faultOfErrno } from "./home-health.ts";

const WHY: Record<DiskFaultCode, { code: ErrorCode; why: (errno: string) => string | null }> = {
  disk_full: {
    code: "disk_full",
    why: (errno) => (errno === "EDQUOT" ? "the disk quota is used up" : "the disk is full"),
  },
  home_unwritable: {
    code: "forbidden",
    why: (errno) => (errno === "EROFS" ? "the disk is mounted read-only" : "this user may not write there"),
  },
  home_failing: { code: "internal", why: () => null },
};

/** A refusal for a fault of the node: whoever asked did nothing wrong. */
export class DiskRefusal extends NexusError {
  readonly fault: DiskFaultCode;

  constructor(fault: DiskFaultCode, options: { code: ErrorCode; detail: string; cause: unknown }) {
    super(options.code, options);
    this.fault = fault;
  }
}

/** @param what a sentence without its end: "The journal /x cannot be written". */
export function refusalOfDisk(error: unknown, what: string): DiskRefusal {
  const errno = error instanceof Error && "code" in error ? String(error.code) : "";
  const fault = faultOfErrno(errno);
  const { code, why } = WHY[fault];
  const reason = why(errno) ?? (error instanceof Error ? error.message : String(error));
  return new DiskRefusal(fault, { code, detail: `${what}: ${reason}.`, cause: error });
}

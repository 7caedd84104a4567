const CODES: readonly unknown[] = ["53100", "ENOSPC"];
const CAUSES_MAX = 5;

/** Postgres, or the system, found no room. A new session that cannot write its first file is told with another code. */
export function isDiskFull(thrown: unknown): boolean {
  let error: unknown = thrown;
  for (let i = 0; i < CAUSES_MAX && error instanceof Error; i += 1) {
    if ("code" in error && CODES.includes(error.code)) return true;
    if (error.message.includes("No space left on device")) return true;
    error = error.cause;
  }
  return false;
}

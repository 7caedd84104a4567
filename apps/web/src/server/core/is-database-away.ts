/**
 * The connection to the database broke, or could not be made: its process ended, restarts, or does not answer. The first are
 * the driver's words, the next the system's, the last those of Postgres itself while it starts and stops, and ours for a
 * control plane that is not the active one any more.
 */
const AWAY_CODES: readonly unknown[] = [
  ...["CONNECTION_CLOSED", "CONNECTION_DESTROYED", "CONNECTION_ENDED", "CONNECT_TIMEOUT"],
  ...["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT"],
  ...["57P01", "57P02", "57P03", "08006", "08003", "08001", "NX001"],
];
const CAUSES_MAX = 5;

/** As opposed to a statement that the database refused. */
export function isDatabaseAway(thrown: unknown): boolean {
  let error: unknown = thrown;
  for (let i = 0; i < CAUSES_MAX && error instanceof Error; i += 1) {
    if ("code" in error && AWAY_CODES.includes(error.code)) return true;
    if ("code" in error && error.code === "ENOENT" && "syscall" in error && error.syscall === "connect")
      return true;
    error = error.cause;
  }
  return false;
}

import { type ErrorCode, NexusError } from "@nexus/shared/errors";

/**
 * Everything that can end an SSH operation, and what follows from it. `isFinal` kinds are answers of the right machine
 * or of a wrong one: another transport would not change them, so nothing falls through to it.
 */
export const SSH_FAILURES = {
  host_key_changed: { code: "pin_mismatch", isFinal: true },
  host_key_unknown: { code: "pin_mismatch", isFinal: true },
  host_key_revoked: { code: "pin_mismatch", isFinal: true },
  auth_failed: { code: "forbidden", isFinal: true },
  algorithms_refused: { code: "target_offline", isFinal: true },
  config_invalid: { code: "bad_request", isFinal: true },
  unsupported: { code: "invalid_state", isFinal: true },
  channel_refused: { code: "target_busy", isFinal: true },
  forward_refused: { code: "invalid_state", isFinal: true },
  remote_refused: { code: "invalid_state", isFinal: true },
  cancelled: { code: "invalid_state", isFinal: true },
  unreachable: { code: "target_offline", isFinal: false },
  timed_out: { code: "target_offline", isFinal: false },
  handshake_failed: { code: "target_offline", isFinal: false },
  connection_lost: { code: "target_offline", isFinal: false },
} as const satisfies Record<string, { code: ErrorCode; isFinal: boolean }>;

export type SshFailure = keyof typeof SSH_FAILURES;

/** A refusal or a failure in words for people. Its `failure` is what code branches on. */
export class SshError extends NexusError {
  readonly failure: SshFailure;

  constructor(failure: SshFailure, detail: string, cause?: unknown) {
    super(SSH_FAILURES[failure].code, { detail, cause });
    this.name = "SshError";
    this.failure = failure;
  }
}

/** Whether the next transport may be tried after this. What is not an `SshError` is our bug and never falls through. */
export function mayFallThrough(error: unknown): boolean {
  return error instanceof SshError && !SSH_FAILURES[error.failure].isFinal;
}

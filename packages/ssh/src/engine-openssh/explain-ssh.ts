import { SshError, type SshFailure } from "../ssh-error.ts";

/** What the system's ssh says when it gives up, and what it means. The first that fits counts. */
const SAYINGS: [RegExp, SshFailure][] = [
  [/REVOKED HOST KEY|is revoked|marked as revoked/i, "host_key_revoked"],
  [/IDENTIFICATION HAS CHANGED|Host key for .* has changed/i, "host_key_changed"],
  [/No .* host key is known|Host key verification failed/i, "host_key_unknown"],
  [/Permission denied|Too many authentication failures|No more authentication methods/i, "auth_failed"],
  [/no matching .* found|Unable to negotiate/i, "algorithms_refused"],
  [/Connection timed out|Operation timed out/i, "timed_out"],
  [
    /Connection refused|Could not resolve|No route to host|Network is unreachable|stdio forwarding failed|open failed/i,
    "unreachable",
  ],
];

export function explainSsh(name: string, words: string): SshError {
  const failure = SAYINGS.find(([saying]) => saying.test(words))?.[1] ?? "handshake_failed";
  const text = words.trim() === "" ? "ssh ended without a word" : words.trim();
  return new SshError(failure, `No SSH with ${name}: ${text}`);
}

import { generateKey, type SshKeyPair } from "../keys/generate-key.ts";

export function newTestKey(comment = "nexus-test"): SshKeyPair {
  return generateKey(comment);
}

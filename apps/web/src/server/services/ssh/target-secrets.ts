/** The private key of a target at rest: sealed for that target alone. No procedure returns it. */
import { openSecret, sealSecret } from "../seal-secret.ts";

const purposeOf = (target: string) => `target_ssh:${target}`;

export function sealTargetKey(masterKey: Uint8Array, target: string, privateKey: string): string {
  return sealSecret(masterKey, purposeOf(target), privateKey);
}

/** Null where there is none, or where it was sealed with another master key. */
export function openTargetKey(
  masterKey: Uint8Array,
  target: string,
  { sealedPrivateKey }: { sealedPrivateKey: string | null },
): string | null {
  return sealedPrivateKey === null ? null : openSecret(masterKey, purposeOf(target), sealedPrivateKey);
}

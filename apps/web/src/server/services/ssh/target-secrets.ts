/** What is kept to reach a target, at rest: sealed for that target and that purpose alone. No procedure returns it. */
import * as z from "zod";
import { openSecret, sealSecret } from "../seal-secret.ts";
import type { Reach } from "./reach-machine.ts";

type ServiceToken = NonNullable<Reach["cloudflareToken"]>;

const serviceTokenSchema = z.object({ id: z.string(), secret: z.string() });
const keyPurpose = (target: string) => `target_ssh:${target}`;
const tokenPurpose = (target: string) => `target_ssh_cloudflare:${target}`;

export function sealTargetKey(masterKey: Uint8Array, target: string, privateKey: string): string {
  return sealSecret(masterKey, keyPurpose(target), privateKey);
}

/** Null where there is none, or where it was sealed with another master key. */
export function openTargetKey(
  masterKey: Uint8Array,
  target: string,
  { sealedPrivateKey }: { sealedPrivateKey: string | null },
): string | null {
  return sealedPrivateKey === null ? null : openSecret(masterKey, keyPurpose(target), sealedPrivateKey);
}

export function sealCloudflareToken(masterKey: Uint8Array, target: string, token: ServiceToken): string {
  return sealSecret(masterKey, tokenPurpose(target), JSON.stringify(token));
}

/** Null as with the key. */
export function openCloudflareToken(
  masterKey: Uint8Array,
  target: string,
  { sealedCloudflareToken }: { sealedCloudflareToken: string | null },
): ServiceToken | null {
  if (sealedCloudflareToken === null) return null;
  const text = openSecret(masterKey, tokenPurpose(target), sealedCloudflareToken);
  return text === null ? null : serviceTokenSchema.parse(JSON.parse(text));
}

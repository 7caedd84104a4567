import type { StoredHop, StoredTransport } from "../../db/schema/ssh.ts";
import type { Reach } from "./reach-machine.ts";
import { openCloudflareToken, openTargetKey } from "./target-secrets.ts";

/** A target's row in `target_ssh`, as far as it is for reaching it. */
export type StoredWay = {
  host: string;
  port: number;
  user: string;
  jumps: StoredHop[];
  transports: StoredTransport[];
  hostKeyName: string;
  isLegacy: boolean;
  sealedPrivateKey: string | null;
  sealedCloudflareToken: string | null;
};

/** By what is kept for a target alone: no key where none was wanted. */
export function storedReach(
  masterKey: Uint8Array,
  target: { id: string; name: string },
  { host, port, user, jumps, transports, hostKeyName, isLegacy, ...sealed }: StoredWay,
): Reach {
  const key = openTargetKey(masterKey, target.id, sealed);
  return {
    host: { host, port, user, jumps, transports, legacy: isLegacy, hostKeyAlias: hostKeyName },
    credentials: { keys: key === null ? [] : [{ label: `the key of ${target.name}`, text: key }] },
    cloudflareToken: openCloudflareToken(masterKey, target.id, sealed) ?? undefined,
  };
}

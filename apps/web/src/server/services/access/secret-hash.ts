import { createHash } from "node:crypto";

/** What the database keeps of a key or a link. The secrets are 256 random bits, so one fast hash is enough. */
export function secretHash(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}

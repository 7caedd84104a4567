/**
 * A certificate of our own, for control planes that nodes reach directly and that no public authority vouches for. Nodes pin
 * its public key (SPKI), so the key is kept for good and the certificate is made anew from it when hosts change or it ages.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { sha256 } from "@nexus/shared/crypto/fingerprint";
import { selfSignedCertificate } from "./self-signed.ts";

/** Browsers refuse leaf certificates that are valid for longer. */
const VALID_DAYS = 397;
const RENEW_DAYS_BEFORE = 60;
const DAY_MS = 86_400_000;

export type TlsFiles = {
  key: string;
  cert: string;
  /** SHA-256 of the public key, base64url: what enrolment tokens pin. */
  spkiPin: string;
};

/** @param hosts names and addresses that the certificate is for. */
export async function loadOrCreateTls(home: string, hosts: readonly string[]): Promise<TlsFiles> {
  const folder = join(home, "tls");
  const [keyPath, certPath] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const key = (await readIfThere(keyPath)) ?? (await writeNew(keyPath, newKey()));
  await chmod(keyPath, 0o600);
  const old = await readIfThere(certPath);
  const cert = old !== null && isGood(old, key, hosts) ? old : await writeNew(certPath, selfSign(key, hosts));
  return { key, cert, spkiPin: spkiPinOf(key) };
}

function newKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

function selfSign(keyPem: string, hosts: readonly string[]): string {
  return selfSignedCertificate({
    key: createPrivateKey(keyPem),
    commonName: "Nexus control plane",
    hosts,
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + VALID_DAYS * DAY_MS),
  });
}

function isGood(certPem: string, keyPem: string, hosts: readonly string[]): boolean {
  const cert = new X509Certificate(certPem);
  if (!cert.checkPrivateKey(createPrivateKey(keyPem))) return false;
  if (new Date(cert.validTo).getTime() - Date.now() < RENEW_DAYS_BEFORE * DAY_MS) return false;
  return hosts.every((host) => (isIP(host) === 0 ? cert.checkHost(host) : cert.checkIP(host)) !== undefined);
}

function spkiPinOf(keyPem: string): string {
  return sha256(createPublicKey(keyPem).export({ type: "spki", format: "der" }));
}

async function writeNew(path: string, text: string): Promise<string> {
  const draft = `${path}.new`;
  await writeFile(draft, text, { mode: 0o600 });
  await rename(draft, path);
  return text;
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { readPrivateKey } from "../auth/read-private-key.ts";
import { type PublicKey, parsePublicKey } from "../host-keys/public-key.ts";

/** A private key of the person, told without its text. */
export type FoundKey = {
  path: string;
  /** Undefined when it is locked and has no `.pub` beside it. */
  publicKey: PublicKey | undefined;
  /** Why it cannot be used as it is; undefined when it can. */
  problem: string | undefined;
};

const PRIVATE = /^-----BEGIN ([A-Z]+ )?PRIVATE KEY-----/;
const FILE_BYTES_MAX = 64 * 1024;
const OTHERS = 0o077;
/** The order in which OpenSSH tries them; other names follow. */
const FIRST = ["id_ed25519", "id_ecdsa", "id_rsa"];

/** All private keys of a folder such as `~/.ssh`, under whatever name. Empty where there is no such folder. */
export async function findKeys(folder: string): Promise<FoundKey[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const rank = (name: string) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  const sorted = names.sort((one, other) => rank(one) - rank(other) || one.localeCompare(other));
  const found: FoundKey[] = [];
  for (const name of sorted) {
    const key = await readKeyFile(join(folder, name));
    if (key !== undefined) found.push(key);
  }
  return found;
}

async function readKeyFile(path: string): Promise<FoundKey | undefined> {
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined || !facts.isFile() || facts.size > FILE_BYTES_MAX) return undefined;
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined || !PRIVATE.test(text)) return undefined;
  const beside = await readFile(`${path}.pub`, "utf8").catch(() => "");
  const read = readPrivateKey({ label: path, text });
  const publicKey = "publicKey" in read ? read.publicKey : parsePublicKey(beside);
  const isOpen = (facts.mode & OTHERS) !== 0;
  const problem = isOpen
    ? `others may read it: chmod 600 ${path}`
    : "reason" in read
      ? read.reason
      : undefined;
  return { path, publicKey, problem };
}

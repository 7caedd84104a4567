/** Private keys of the person, as files. What is locked is opened with a passphrase that is asked for, never given as an option. */
import { readFile } from "node:fs/promises";
import { NexusError } from "@nexus/shared/errors";
import type { Cli } from "../cli.ts";
import { askLine } from "../terminal/ask.ts";

export type Identity = { label: string; text: string; passphrase?: string; certificate?: string };

const PRIVATE = /^-----BEGIN ([A-Z]+ )?PRIVATE KEY-----/;

/** Null for a file that is not there, unless it `must` be. */
export async function readIdentity(
  cli: Cli,
  path: string,
  { must }: { must: boolean },
): Promise<Identity | null> {
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" && !must) return null;
    throw new NexusError("bad_request", { detail: `The key ${path} cannot be read (${cause.code}).`, cause });
  });
  if (text === null) return null;
  if (!PRIVATE.test(text)) {
    if (!must) return null;
    throw new NexusError("bad_request", { detail: `${path} is no private key. Name the one without .pub.` });
  }
  if (isSecurityKey(text)) {
    if (!must) return null;
    throw new NexusError("bad_request", {
      detail: `${path} belongs to a security key, which must be touched where it is plugged in: the control plane cannot use it. Name another key, or have the machine let itself in: nexus targets add`,
    });
  }
  const certificate = await readCertificate(`${path}-cert.pub`);
  if (!isLocked(text)) return { label: path, text, ...certificate };
  if (!cli.stdin.isTTY) {
    if (!must) return null;
    throw new NexusError("bad_request", {
      detail: `${path} is locked, and there is no terminal to ask for its passphrase.`,
    });
  }
  const passphrase = await askLine(cli, `Passphrase of ${path}: `, { isSecret: true });
  return { label: path, text, passphrase, ...certificate };
}

/** Beside its key, where ssh looks for it too. */
async function readCertificate(path: string): Promise<{ certificate?: string }> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.trim() === "" ? {} : { certificate: text.trim() };
}

/** Its public half names its kind, in front of what is encrypted. */
function isSecurityKey(text: string): boolean {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END/.exec(text)?.[1] ?? "";
  return /\0\0\0[\s\S]sk-(ssh|ecdsa)-/.test(Buffer.from(body, "base64").toString("latin1"));
}

/** OpenSSH's own format names its cipher at a fixed place; PEM says it in a header or in its name. */
function isLocked(text: string): boolean {
  if (/ENCRYPTED/.test(text)) return true;
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END/.exec(text)?.[1];
  if (body === undefined) return false;
  const bytes = Buffer.from(body, "base64");
  const at = "openssh-key-v1\0".length;
  return bytes.toString("latin1", at + 4, at + 4 + bytes.readUInt32BE(at)) !== "none";
}

/** The 32 bytes under which the control plane's own secrets are sealed: given, or kept in `<home>/master.key` (0600). */
import { randomBytes } from "node:crypto";
import { chmod, link, mkdir, open, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { NexusError } from "@nexus/shared/errors";

const KEY_BYTES = 32;

export type MasterKeySource = {
  home: string;
  /** `NEXUS_MASTER_KEY`: 32 bytes in base64 or base64url. It wins over the file. */
  given?: string | undefined;
};

export async function loadMasterKey(source: MasterKeySource): Promise<Uint8Array> {
  if (source.given !== undefined && source.given !== "") {
    return parseKey(source.given, "NEXUS_MASTER_KEY");
  }
  const path = join(source.home, "master.key");
  const text = (await readIfThere(path)) ?? (await createKeyFile(path, source.home));
  return parseKey(text, path);
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, 0o600);
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** Written beside and linked into place: a crash leaves no half key, and of two first starts one key wins for both. */
async function createKeyFile(path: string, home: string): Promise<string> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  const file = await open(draft, "wx", 0o600);
  try {
    await file.writeFile(`${randomBytes(KEY_BYTES).toString("base64url")}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return await readFile(path, "utf8");
}

function parseKey(text: string, from: string): Uint8Array {
  const key = Buffer.from(text.trim(), "base64");
  if (key.length !== KEY_BYTES) {
    throw new NexusError("bad_request", {
      detail: `${from} holds ${key.length} bytes instead of ${KEY_BYTES} in base64. Restore it from a backup: what is sealed with it cannot be opened otherwise.`,
    });
  }
  return key;
}

/** Names of user ids, as the machine knows them. Owns a cache: accounts are looked up once, since a directory may be slow. */
import { readFile } from "node:fs/promises";
import { runOnce } from "./run-once.ts";

export type UserNames = { nameOf(uid: number): Promise<string> };

export type UserNamesOptions = {
  passwdPath: string;
  /** Asks directories (LDAP, SSSD) too; null where there is none. */
  getent: string | null;
};

const GETENT_DEADLINE_MS = 2_000;

export function createUserNames(options: UserNamesOptions): UserNames {
  const cache = new Map<number, Promise<string>>();

  async function lookUp(uid: number): Promise<string> {
    const text = await readFile(options.passwdPath, "utf8").catch(() => "");
    const local = nameIn(text, uid);
    if (local !== null || options.getent === null) return local ?? `uid ${uid}`;
    const answer = await runOnce(options.getent, ["passwd", String(uid)], GETENT_DEADLINE_MS);
    return nameIn(answer.stdout, uid) ?? `uid ${uid}`;
  }

  return {
    nameOf(uid) {
      const known = cache.get(uid) ?? lookUp(uid);
      cache.set(uid, known);
      return known;
    },
  };
}

/** @param passwd lines of `name:password:uid:…` */
function nameIn(passwd: string, uid: number): string | null {
  for (const line of passwd.split("\n")) {
    const [name, , id] = line.split(":", 3);
    if (name !== undefined && name !== "" && id === String(uid)) return name;
  }
  return null;
}

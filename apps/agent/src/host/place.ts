import { createHash } from "node:crypto";
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import type { HostFacts } from "@nexus/shared/protocol/messages";

export type Place = NonNullable<HostFacts["place"]>;

/**
 * What a copy of a disk or of the agent's folder does not have in common with what it was copied from: the machine by its id
 * and the addresses of its network cards, the folder by its path, inode and birth. Never failing; what cannot be read is left out.
 */
export async function readPlace(home: string, roots: { sys?: string; etc: string }): Promise<Place> {
  const { sys = "/sys", etc } = roots;
  const [id, cards, folder] = await Promise.all([
    readFile(join(etc, "machine-id"), "utf8").catch(() => ""),
    readCards(join(sys, "class/net")),
    readFolder(home),
  ]);
  return { machine: digest([id.trim(), ...cards]), home: digest(folder) };
}

/** Of real cards: bridges and pairs of containers come and go. */
async function readCards(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const found = await Promise.all(
    names.map(async (name) => {
      const hasDevice = await stat(join(folder, name, "device")).catch(() => null);
      if (hasDevice === null) return [];
      const address = await readFile(join(folder, name, "address"), "utf8").catch(() => "");
      return [address.trim()];
    }),
  );
  return found.flat().sort();
}

async function readFolder(home: string): Promise<string[]> {
  const path = await realpath(home).catch(() => home);
  const entry = await stat(path, { bigint: true }).catch(() => null);
  return [path, String(entry?.ino ?? ""), String(entry?.birthtimeNs ?? "")];
}

function digest(parts: string[]): string {
  return createHash("sha256")
    .update(`nexus-agent ${JSON.stringify(parts)}`)
    .digest("hex")
    .slice(0, 32);
}

import { createHash } from "node:crypto";
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { CARDS_MAX } from "@nexus/shared/protocol/limits";
import type { HostFacts } from "@nexus/shared/protocol/messages";

export type Place = NonNullable<HostFacts["place"]>;

/** As the kernel writes `addr_assign_type`, and `type` of a card for IP over InfiniBand. */
const PERMANENT = "0";
const INFINIBAND = "32";

/**
 * What a copy of a disk or of the agent's folder does not have in common with what it was copied from: the machine by its id
 * and the addresses of its network cards, the folder by its path, inode and birth. Each card is told for itself, since not all
 * of them are there at each boot. Never failing; what cannot be read is left out.
 */
export async function readPlace(home: string, roots: { sys?: string; etc: string }): Promise<Place> {
  const { sys = "/sys", etc } = roots;
  const [id, cards, folder] = await Promise.all([
    textOf(join(etc, "machine-id")),
    readCards(join(sys, "class/net")),
    readFolder(home),
  ]);
  const digests = [...new Set(cards)].map((card) => digest(["card", card])).sort();
  return { machine: digest([id]), cards: digests.slice(0, CARDS_MAX), home: digest(folder) };
}

/** Of real cards, by the addresses that they were made with: all others are there once and never again. */
async function readCards(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const found = await Promise.all(
    names.map(async (name) => {
      const card = join(folder, name);
      // Bridges and pairs of containers have no device, and what a card lends to a virtual machine has another address at each boot.
      if (!(await isThere(join(card, "device"))) || (await isThere(join(card, "device/physfn")))) return [];
      // In a bond each has the address of the bond, and keeps its own beside it.
      const bonded = await textOf(join(card, "bonding_slave/perm_hwaddr"));
      const isGiven = (await textOf(join(card, "addr_assign_type"))) !== PERMANENT;
      const address = bonded || (isGiven ? "" : await textOf(join(card, "address")));
      const isInfiniband = (await textOf(join(card, "type"))) === INFINIBAND;
      // The rest of it is a number of a queue, another one at each boot.
      const lasting = isInfiniband ? address.split(":").slice(-8).join(":") : address;
      return lasting === "" ? [] : [lasting];
    }),
  );
  return found.flat();
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

async function textOf(path: string): Promise<string> {
  return await readFile(path, "utf8").then(
    (content) => content.trim(),
    () => "",
  );
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

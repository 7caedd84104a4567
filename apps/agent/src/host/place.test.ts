import { cp, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readPlace } from "./place.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nexus-place-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Card = { address: string; files?: Record<string, string> };

async function machine(name: string, { id, cards }: { id: string; cards: Card[] }) {
  const [etc, sys] = [join(folder, name, "etc"), join(folder, name, "sys")];
  await mkdir(etc, { recursive: true });
  await writeFile(join(etc, "machine-id"), `${id}\n`);
  for (const [at, { address, files = {} }] of cards.entries()) {
    const card = join(sys, "class/net", `eth${at}`);
    await mkdir(join(card, "device"), { recursive: true });
    const all = { address, addr_assign_type: "0", type: "1", ...files };
    for (const [file, text] of Object.entries(all)) {
      await mkdir(dirname(join(card, file)), { recursive: true });
      await writeFile(join(card, file), `${text}\n`);
    }
  }
  // A bridge, which has no device and another address each time.
  await mkdir(join(sys, "class/net/docker0"), { recursive: true });
  await writeFile(join(sys, "class/net/docker0/address"), `${name}\n`);
  return { etc, sys };
}

it("[P58] a machine is known again, a copy of its disk with other cards is not, and names and ids stay hidden", async () => {
  const home = join(folder, "home");
  await mkdir(home);
  const one = await machine("one", { id: "abc", cards: [{ address: "02:00:00:00:00:01" }] });
  const place = await readPlace(home, one);
  expect(await readPlace(home, one)).toEqual(place);
  expect(
    await readPlace(home, await machine("same", { id: "abc", cards: [{ address: "02:00:00:00:00:01" }] })),
  ).toEqual(place);
  const copy = await readPlace(
    home,
    await machine("copy", { id: "abc", cards: [{ address: "02:00:00:00:00:02" }] }),
  );
  expect([copy.home, copy.machine]).toEqual([place.home, place.machine]);
  expect(copy.cards).toHaveLength(1);
  expect(copy.cards).not.toEqual(place.cards);
  expect(JSON.stringify(place)).not.toMatch(/abc|02:00|home\//);
});

it("[P58] what is another address at the next boot is no card, or is told without what changes", async () => {
  const [own, other] = ["02:00:00:00:00:01", "02:00:00:00:00:02"];
  const port = "00:11:22:33:44:55:66:77";
  const cardsOf = async (name: string, cards: Card[]) =>
    (await readPlace(folder, await machine(name, { id: "abc", cards }))).cards;
  const plain = await cardsOf("plain", [{ address: own }]);
  const bonded = { addr_assign_type: "3", "bonding_slave/perm_hwaddr": own };
  const lent = { address: "f2:00:00:00:00:09", files: { "device/physfn/vendor": "0x15b3" } };
  const random = { address: "f2:00:00:00:00:08", files: { addr_assign_type: "1" } };
  expect(await cardsOf("odd", [{ address: other, files: bonded }, lent, random])).toEqual(plain);
  const infiniband = (queue: string) => ({
    address: `${queue}:fe:80:00:00:00:00:00:00:${port}`,
    files: { type: "32" },
  });
  const [before, after] = [
    await cardsOf("ib-1", [infiniband("80:00:00:48")]),
    await cardsOf("ib-2", [infiniband("80:00:02:91")]),
  ];
  expect(before).toHaveLength(1);
  expect(after).toEqual(before);
});

it("[P58] a machine with very many cards tells of as many as a message may name", async () => {
  const cards = Array.from({ length: 40 }, (_, at) => ({ address: `02:00:00:00:00:${at + 10}` }));
  expect((await readPlace(folder, await machine("many", { id: "abc", cards }))).cards).toHaveLength(16);
});

it("[P58] a copy of the folder is another home, a link to it and the folder after writing to it are the same", async () => {
  const one = await machine("two", { id: "abc", cards: [] });
  const home = join(folder, "agent");
  await mkdir(home);
  const place = await readPlace(home, one);
  await writeFile(join(home, "journal"), "x");
  await symlink(home, join(folder, "link"));
  expect(await readPlace(join(folder, "link"), one)).toEqual(place);
  await cp(home, join(folder, "agent-2"), { recursive: true });
  expect((await readPlace(join(folder, "agent-2"), one)).home).not.toBe(place.home);
  // Also where the copy takes the name of what it was copied from.
  await rename(home, join(folder, "agent-1"));
  await rename(join(folder, "agent-2"), home);
  expect((await readPlace(home, one)).home).not.toBe(place.home);
});

it("[P58] what cannot be read is no error", async () => {
  const place = await readPlace(join(folder, "none"), { etc: "/nowhere", sys: "/nowhere" });
  expect(place.machine).toMatch(/^[0-9a-f]{32}$/);
});

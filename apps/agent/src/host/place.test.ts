import { cp, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readPlace } from "./place.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nexus-place-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function machine(name: string, { id, cards }: { id: string; cards: string[] }) {
  const [etc, sys] = [join(folder, name, "etc"), join(folder, name, "sys")];
  await mkdir(etc, { recursive: true });
  await writeFile(join(etc, "machine-id"), `${id}\n`);
  for (const [at, address] of cards.entries()) {
    const card = join(sys, "class/net", `eth${at}`);
    await mkdir(join(card, "device"), { recursive: true });
    await writeFile(join(card, "address"), `${address}\n`);
  }
  // A bridge, which has no device and another address each time.
  await mkdir(join(sys, "class/net/docker0"), { recursive: true });
  await writeFile(join(sys, "class/net/docker0/address"), `${name}\n`);
  return { etc, sys };
}

it("[P58] a machine is known again, a copy of its disk with other cards is not, and names and ids stay hidden", async () => {
  const home = join(folder, "home");
  await mkdir(home);
  const one = await machine("one", { id: "abc", cards: ["02:00:00:00:00:01"] });
  const place = await readPlace(home, one);
  expect(await readPlace(home, one)).toEqual(place);
  expect(await readPlace(home, await machine("same", { id: "abc", cards: ["02:00:00:00:00:01"] }))).toEqual(
    place,
  );
  const copy = await readPlace(home, await machine("copy", { id: "abc", cards: ["02:00:00:00:00:02"] }));
  expect([copy.home, copy.machine === place.machine]).toEqual([place.home, false]);
  expect(JSON.stringify(place)).not.toMatch(/abc|02:00|home\//);
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

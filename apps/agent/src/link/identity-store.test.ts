import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newKeyPair } from "@nexus/shared/crypto/ed25519";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readGeneration, saveGeneration } from "./generation-file.ts";
import {
  type Identity,
  keyForEnrolment,
  readIdentity,
  removeIdentity,
  requireIdentity,
  writeIdentity,
} from "./identity-store.ts";

let home: string;
let identity: Identity;
beforeEach(async () => {
  home = join(await mkdtemp(join(tmpdir(), "nexus-id-")), "deep", "agent");
  identity = {
    version: 1,
    nodeId: "t_1",
    name: "n",
    team: "Lab",
    origin: "https://x",
    spkiPin: null,
    serverKey: "k",
    ...newKeyPair(),
    enrolledAt: "2026-01-01",
  };
});
afterEach(() => rm(join(home, "../.."), { recursive: true, force: true }));

const mode = async (path: string) => (await stat(path)).mode & 0o777;

describe("identity", () => {
  it("[E24] identity and folder are private, also after somebody opened them", async () => {
    await writeIdentity(home, identity);
    expect([await mode(home), await mode(join(home, "identity.json"))]).toEqual([0o700, 0o600]);
    await chmod(join(home, "identity.json"), 0o644);
    await readIdentity(home);
    expect(await mode(join(home, "identity.json"))).toBe(0o600);
  });

  it("[E24] the generation is written in place, and a torn write leaves the one before", async () => {
    await writeIdentity(home, identity);
    expect(await readGeneration(home)).toBe(0);
    const path = join(home, "generation");
    const { ino, size } = await stat(path);
    for (const generation of [1, 2, 3, 41, 42]) {
      await saveGeneration(home, generation);
      expect(await readGeneration(home)).toBe(generation);
    }
    expect(await stat(path)).toMatchObject({ ino, size });
    const text = await readFile(path, "latin1");
    await writeFile(path, text.replace("42 ", "43 "));
    expect(await readGeneration(home)).toBe(41);
    await writeIdentity(home, identity);
    expect(await readGeneration(home)).toBe(0);
    expect((await readdir(home)).sort()).toEqual(["generation", "identity.json"]);
  });

  it("[E24] a missing and a damaged identity say what to do", async () => {
    expect(await readIdentity(home)).toBeNull();
    await expect(requireIdentity(home)).rejects.toThrow(/not enrolled.*nexus-agent enroll/);
    await writeIdentity(home, identity);
    await writeFile(join(home, "identity.json"), '{"version":1');
    await expect(readIdentity(home)).rejects.toThrow(/damaged.*--force/);
  });

  it("[E9] each try with a token uses the same key, another token another, and success ends it", async () => {
    const first = await keyForEnrolment(home, "et_1");
    expect(await keyForEnrolment(home, "et_1")).toMatchObject(first);
    const other = await keyForEnrolment(home, "et_2");
    expect(other.publicKey).not.toBe(first.publicKey);
    await writeIdentity(home, identity);
    expect((await keyForEnrolment(home, "et_2")).publicKey).not.toBe(other.publicKey);
    await removeIdentity(home);
    expect(await readdir(home)).toEqual([]);
  });
});

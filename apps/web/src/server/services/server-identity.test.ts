import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { verifyText } from "@nexus/shared/crypto/ed25519";
import { keyPin } from "@nexus/shared/crypto/fingerprint";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { findServerIdentity } from "../db/queries/find-server-identity.ts";
import { createTestDatabase, type TestDatabase } from "../db/testing/test-database.ts";
import { loadMasterKey } from "./master-key.ts";
import { openSecret, sealSecret } from "./seal-secret.ts";
import { loadServerIdentity } from "./server-identity.ts";

let database: TestDatabase;
let home: string;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "nexus-key-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

describe("server identity", () => {
  it("[E3] control planes that start together on an empty database have one identity", async () => {
    const masterKey = randomBytes(32);
    const all = await Promise.all(
      Array.from({ length: 4 }, () => loadServerIdentity(database.db, masterKey)),
    );
    expect(new Set(all.map((one) => one.publicKey)).size).toBe(1);
    const [first] = all;
    expect(first?.pin).toBe(keyPin(first?.publicKey ?? ""));
    expect(verifyText(first?.publicKey ?? "", "text", first?.sign("text") ?? "")).toBe(true);
  });

  it("[E3] the private key lies sealed, and another master key is refused with what to do", async () => {
    const row = await findServerIdentity(database.db);
    expect(row?.sealedPrivateKey).toMatch(/^v1\./);
    await expect(loadServerIdentity(database.db, randomBytes(32))).rejects.toThrow(/master\.key/);
  });

  it("[E3] a sealed text opens only with its key, for its purpose, unchanged", () => {
    const key = randomBytes(32);
    const sealed = sealSecret(key, "a", "secret");
    expect(openSecret(key, "a", sealed)).toBe("secret");
    expect(openSecret(key, "b", sealed)).toBeNull();
    expect(openSecret(randomBytes(32), "a", sealed)).toBeNull();
    const changed = sealed.slice(0, -3) + (sealed.at(-3) === "A" ? "B" : "A") + sealed.slice(-2);
    for (const bad of ["", "v1.x.y", "v1.x.", changed, sealed.replace("v1", "v2")]) {
      expect(openSecret(key, "a", bad)).toBeNull();
    }
  });

  it("[E3] the master key is made once, private, and given keys win over the file", async () => {
    const [a, b] = await Promise.all([loadMasterKey({ home }), loadMasterKey({ home })]);
    expect(a).toEqual(b);
    const path = join(home, "master.key");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await chmod(path, 0o644);
    expect(await loadMasterKey({ home })).toEqual(a);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const given = randomBytes(32);
    expect(await loadMasterKey({ home, given: given.toString("base64") })).toEqual(given);
    await writeFile(path, (await readFile(path, "utf8")).slice(0, 9));
    await expect(loadMasterKey({ home })).rejects.toThrow(/master\.key holds/);
    await expect(loadMasterKey({ home, given: "short" })).rejects.toThrow(/NEXUS_MASTER_KEY/);
  });
});

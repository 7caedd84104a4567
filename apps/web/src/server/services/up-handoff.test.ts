import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startTestApi, type TestApi } from "../api/testing/test-api.ts";
import { listApiKeys } from "./access/api-keys.ts";
import { bootstrapOwner } from "./access/bootstrap-owner.ts";
import { operatorSignInLink } from "./access/operator-sign-in-link.ts";
import { redeemSignInLink } from "./access/sign-in-link.ts";
import { writeUpHandoff } from "./up-handoff.ts";

const secretOf = (link: string) => link.split("#link=")[1] ?? "";

describe("starting a server", () => {
  let api: TestApi;
  let home: string;
  beforeAll(async () => {
    api = await startTestApi();
  });
  afterAll(() => api?.close());
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "nexus-handoff-"));
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  const handOff = (enrollToken?: string) =>
    writeUpHandoff(api.ctx, {
      home,
      userName: "ada",
      certificate: undefined,
      createEnrollToken: async () => enrollToken,
    });
  const json = async (name: string) => JSON.parse(await readFile(join(home, name), "utf8"));

  it("[A26] the person who starts a server is signed in, in the browser by a link and in the CLI by a key", async () => {
    await handOff("nxe1_x");
    const up = await json("run/up.json");
    expect(up).toEqual({ url: api.origin, signInLink: expect.any(String), enrollToken: "nxe1_x" });
    const owner = await bootstrapOwner(api.ctx, { name: "x" });
    expect(await redeemSignInLink(api.ctx, secretOf(up.signInLink))).toBe(owner.userId);
    const { servers } = await json("cli.json");
    expect((await api.call("me.get", undefined, servers.default.apiKey)).role).toBe("owner");
    for (const name of ["run/up.json", "cli.json"]) {
      expect((await stat(join(home, name))).mode & 0o777).toBe(0o600);
    }
    expect(await readdir(home)).toEqual(["cli.json", "run"]);
  });

  it("[A26] a restart keeps a key that works and what else the file says, and renews one that does not", async () => {
    await handOff();
    const { servers } = await json("cli.json");
    const other = { url: "https://other.example", apiKey: "nxk_other" };
    const edited = { servers: { default: { ...servers.default, target: "gpu1" }, other }, note: "mine" };
    await writeFile(join(home, "cli.json"), JSON.stringify(edited));
    await handOff();
    expect(await json("cli.json")).toEqual(edited);

    const stale = { ...edited, servers: { ...edited.servers, default: { ...other, url: api.origin } } };
    await writeFile(join(home, "cli.json"), JSON.stringify(stale));
    await handOff();
    const renewed = await json("cli.json");
    expect(renewed.servers.other).toEqual(other);
    expect((await api.call("me.get", undefined, renewed.servers.default.apiKey)).role).toBe("owner");
    const owner = await bootstrapOwner(api.ctx, { name: "x" });
    expect(await listApiKeys(api.ctx, owner)).toHaveLength(1);
  });

  it("[A26] a file that cannot be read is put aside, not thrown away", async () => {
    await writeFile(join(home, "cli.json"), "{ not json");
    await handOff();
    expect(await readFile(join(home, "cli.json.unreadable"), "utf8")).toBe("{ not json");
    expect((await json("cli.json")).servers.default.url).toBe(api.origin);
  });
});

describe("an operator's link", () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startTestApi();
  });
  afterAll(() => api?.close());

  it("[A26] makes the first owner on an empty server, and signs members in afterwards", async () => {
    const first = await operatorSignInLink(api.ctx, "Ada@Example.com");
    expect(first).toMatchObject({ email: "ada@example.com", created: true });
    const userId = await redeemSignInLink(api.ctx, secretOf(first.link));
    const again = await operatorSignInLink(api.ctx);
    expect(again).toMatchObject({ email: "ada@example.com", created: false });
    expect(await redeemSignInLink(api.ctx, secretOf(again.link))).toBe(userId);
    const named = await operatorSignInLink(api.ctx, "ada@example.com");
    expect(await redeemSignInLink(api.ctx, secretOf(named.link))).toBe(userId);
    await expect(operatorSignInLink(api.ctx, "eve@example.com")).rejects.toThrow(/eve@example.com/);
  });
});

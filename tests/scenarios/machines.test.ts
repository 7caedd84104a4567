import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Nexus } from "../harness/nexus.ts";

let nexus: Nexus;
beforeAll(async () => {
  nexus = await Nexus.start();
  await nexus.addAgent({ name: "old-name" });
});
afterAll(() => nexus.dispose());

async function said(args: string[], code = 0): Promise<string> {
  const child = nexus.cli(args);
  expect(await child.exit(), child.stdout + child.stderr).toBe(code);
  return child.stdout + child.stderr;
}

describe("nexus targets", () => {
  it("[N15] renames, cordons, uncordons and removes a machine, and a job says why it waits meanwhile", async () => {
    expect(await said(["targets", "rename", "old-name", "new-name"])).toContain("old-name is new-name now");
    expect(await said(["targets", "cordon", "new-name"])).toContain("takes no new jobs");
    expect(await said(["run", "--", "true"], 75)).toContain("cordoned: new-name");
    const [id = ""] = (await said(["add", "--", "true"])).split("\n");
    expect(await said(["targets", "uncordon", "new-name"])).toContain("takes jobs again");
    expect((await nexus.ended(id)).state).toBe("succeeded");
    expect(await said(["targets", "remove", "new-name", "--yes"])).toContain("new-name was removed");
    expect(await said(["targets", "list"])).toContain("no machine yet");
    expect(await said(["targets", "remove", "new-name", "--yes"], 66)).toContain("new-name");
  });

  it("[N15] ends to wait for a machine when its token is revoked, and says so", async () => {
    const add = nexus.cli(["targets", "add", "never"]);
    await add.says("Waiting for it to connect");
    const tokens = await nexus.call("enrollTokens.list", undefined);
    await nexus.call("enrollTokens.revoke", { id: tokens.find(({ name }) => name === "never")?.id ?? "" });
    expect(await add.exit()).toBe(77);
    expect(add.stderr).toContain("revoked");
  });
});

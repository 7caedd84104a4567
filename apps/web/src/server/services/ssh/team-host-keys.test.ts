import { replaceHostKey } from "@nexus/ssh/host-keys/host-key-store";
import { fingerprintOf } from "@nexus/ssh/host-keys/public-key";
import { newTestKey } from "@nexus/ssh/testing/test-keys";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestApi, type TestApi } from "../../api/testing/test-api.ts";
import { addTestPerson, addTestTeam, type TestPerson } from "../../api/testing/test-people.ts";
import { noteRefusedKey, teamHostKeys } from "./team-host-keys.ts";

describe("host keys of a team", () => {
  let api: TestApi;
  let owner: TestPerson;
  let member: TestPerson;
  beforeAll(async () => {
    api = await startTestApi();
    const teamId = await addTestTeam(api.ctx, "one");
    owner = await addTestPerson(api.ctx, teamId, "owner");
    member = await addTestPerson(api.ctx, teamId, "member");
  });
  afterAll(() => api?.close());

  it("[E43] every change is in the audit, and one that was decided on old news is refused", async () => {
    const store = teamHostKeys(api.ctx, owner.principal);
    const [first, second] = [newTestKey().publicKey, newTestKey().publicKey];
    const before = await store.read("gpu1");
    const pin = { name: "gpu1", kind: "confirm", before, by: "x", reason: "fingerprint confirmed" } as const;
    await store.write({ ...pin, after: { pinned: [first], revoked: [] } });
    expect(await store.read("gpu1")).toEqual({ pinned: [first], revoked: [] });
    await expect(store.write({ ...pin, after: { pinned: [second], revoked: [] } })).rejects.toMatchObject({
      code: "conflict",
    });
    const both = await Promise.allSettled(
      [1, 2].map(() => store.write({ ...pin, name: "gpu2", after: { pinned: [first], revoked: [] } })),
    );
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const audit = await api.call("audit.list", {}, owner.key);
    expect(
      audit
        .filter(({ action }) => action === "ssh_host_key.confirmed")
        .map(({ subject }) => subject)
        .sort(),
    ).toEqual(["gpu1", "gpu2"]);
  });

  it("[E43] a replacement names both keys and why; the old key is never accepted again", async () => {
    const store = teamHostKeys(api.ctx, owner.principal);
    const [old, next] = [newTestKey().publicKey, newTestKey().publicKey];
    const before = { pinned: [], revoked: [] };
    await store.write({
      name: "gpu3",
      kind: "confirm",
      before,
      after: { pinned: [old], revoked: [] },
      by: "x",
      reason: "r",
    });
    const asked = { name: "gpu3", old: fingerprintOf(old), new: fingerprintOf(next), reason: "new disk" };
    await expect(api.call("ssh.replaceHostKey", asked, owner.key)).rejects.toThrow(/has not shown/);
    await noteRefusedKey(api.ctx, owner.principal, { name: "gpu3", key: next });
    await expect(api.call("ssh.replaceHostKey", asked, member.key)).rejects.toThrow(/role admin/);
    await expect(api.call("ssh.replaceHostKey", { ...asked, old: asked.new }, owner.key)).rejects.toThrow(
      /not known by/,
    );
    const replaced = await api.call("ssh.replaceHostKey", asked, owner.key);
    expect(replaced).toMatchObject({
      known: [{ fingerprint: asked.new }],
      revoked: [{ fingerprint: asked.old }],
      refused: null,
    });
    const back = { name: "gpu3", old: next, new: old, by: "x", reason: "r" };
    await expect(replaceHostKey(store, back)).rejects.toMatchObject({ code: "forbidden" });
    const [entry] = await api.call("audit.list", { limit: 1 }, owner.key);
    expect(entry).toMatchObject({ action: "ssh_host_key.replaced", subject: "gpu3" });
    expect(entry?.detail).toContain("new disk");
  });
});

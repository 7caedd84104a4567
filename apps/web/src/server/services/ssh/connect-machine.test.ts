import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { InputOf } from "@nexus/shared/api/contract";
import { fingerprintOf } from "@nexus/ssh/host-keys/public-key";
import { newTestKey } from "@nexus/ssh/testing/test-keys";
import { startTestSshd, type TestSshd } from "@nexus/ssh/testing/test-sshd";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { startTestApi, type TestApi } from "../../api/testing/test-api.ts";
import { addTestPerson, addTestTeam, type TestPerson } from "../../api/testing/test-people.ts";
import { insertSshTarget } from "../../db/queries/insert-ssh-target.ts";
import { sshTargetOf } from "./reach-machine.ts";

describe("machines over SSH", () => {
  let api: TestApi;
  let otherTeam: string;
  let owner: TestPerson;
  let admin: TestPerson;
  beforeAll(async () => {
    api = await startTestApi();
    const teamId = await addTestTeam(api.ctx, "one");
    otherTeam = await addTestTeam(api.ctx, "two");
    owner = await addTestPerson(api.ctx, teamId, "owner");
    admin = await addTestPerson(api.ctx, teamId, "admin");
  });
  afterAll(() => api?.close());

  async function startMachine(lines: string[] = []): Promise<TestSshd> {
    const machine = await startTestSshd({ lines });
    onTestFinished(() => machine.close());
    return machine;
  }

  async function giveBack(machine: TestSshd, acceptHostKeys: string[], canAsk = false): Promise<string> {
    const { host, port, user, userKey } = machine;
    const credentials = { keys: [{ label: "key", text: userKey.privateKey }] };
    const work: InputOf<"ssh.start"> = {
      ...{ act: "uninstall", hosts: [{ host, port, user }], credentials, acceptHostKeys, canAsk },
    };
    return (await api.call("ssh.start", work, owner.key)).id;
  }

  async function end(id: string) {
    return await vi.waitFor(
      async () => {
        const run = await api.call("ssh.read", { id, waitMs: 0 }, owner.key);
        expect(run.ended).toBe(true);
        return run;
      },
      { timeout: 30_000 },
    );
  }

  it("[E43] who walks to the machine may take longer than its server waits for a log-in, and is who confirmed", async () => {
    const machine = await startMachine(["LoginGraceTime 1"]);
    const id = await giveBack(machine, [], true);
    const fingerprint = fingerprintOf(machine.hostKey);
    await vi.waitFor(
      async () => {
        const { hosts } = await api.call("ssh.read", { id, waitMs: 0 }, owner.key);
        expect(hosts[0]?.question?.fingerprint).toBe(fingerprint);
      },
      { timeout: 15_000 },
    );
    const askedAtMs = performance.now();
    await vi.waitFor(() => expect(performance.now() - askedAtMs).toBeGreaterThan(2_000), { timeout: 5_000 });
    await api.call("ssh.answer", { id, host: 0, fingerprint, accept: true }, admin.key);
    const { hosts } = await end(id);
    expect(hosts[0]).toMatchObject({ state: "done", question: null });
    const audit = await api.call("audit.list", {}, owner.key);
    const confirmed = audit.find(({ action }) => action === "ssh_host_key.confirmed");
    expect(JSON.stringify(confirmed)).toContain(admin.principal.userName);
    expect(JSON.stringify(confirmed)).not.toContain(owner.principal.userName);
  }, 60_000);

  it("[E46] a node whose agent was not brought over SSH is not touched", async () => {
    const machine = await startMachine();
    const home = join(machine.home, ".nexus-agent");
    mkdirSync(join(home, "service"), { recursive: true });
    writeFileSync(join(home, "identity.json"), "{}");
    const { hosts } = await end(await giveBack(machine, [fingerprintOf(machine.hostKey)]));
    expect(hosts[0]).toMatchObject({ state: "failed" });
    expect(hosts[0]?.message).toMatch(/not brought over SSH.*nexus-agent unenroll/);
    expect([existsSync(join(home, "identity.json")), existsSync(join(home, "service"))]).toEqual([
      true,
      true,
    ]);
  }, 60_000);

  it("[E46] a node of another team of this control plane is not touched", async () => {
    const machine = await startMachine();
    const kit = join(machine.home, ".nexus-agent/kit");
    mkdirSync(kit, { recursive: true });
    const publicId = `t_${createHash("sha256").update(machine.folder).digest("hex").slice(0, 16)}`;
    await insertSshTarget(api.ctx.db, { publicId, teamId: otherTeam, name: "theirs", labels: {} });
    const node = { nodeId: publicId, name: "theirs", team: "two", origin: api.origin };
    // What an agent says of itself; whatever else it is told to do is noted.
    writeFileSync(
      join(kit, "nexus-agent.js"),
      `if (process.argv[2] === "status") console.log(${JSON.stringify(JSON.stringify({ node, pid: null, agent: null }))});
else require("node:fs").appendFileSync(${JSON.stringify(join(machine.home, "told"))}, process.argv[2] + "\\n");`,
    );
    writeFileSync(join(kit, "node"), `#!/bin/sh\nexec '${process.execPath}' "$@"\n`, { mode: 0o755 });
    const { hosts } = await end(await giveBack(machine, [fingerprintOf(machine.hostKey)]));
    expect(hosts[0]?.message).toMatch(/theirs, a node of the team two of this control plane/);
    expect(hosts[0]?.state).toBe("failed");
    expect(existsSync(join(machine.home, "told"))).toBe(false);
    expect(readFileSync(join(kit, "nexus-agent.js"), "utf8")).toContain(publicId);
  }, 60_000);

  it("[E45] a large known_hosts is read once for all machines", async () => {
    const line = `${"x".repeat(200)} ${newTestKey().publicKey.type} ${newTestKey().publicKey.base64}\n`;
    const knownHosts = line.repeat(Math.floor((1024 * 1024) / line.length));
    const hosts = Array.from({ length: 500 }, (_, at) => ({ host: "127.0.0.1", port: 1, user: `u${at}` }));
    const startedAtMs = performance.now();
    const { id } = await api.call("ssh.start", { act: "uninstall", hosts, knownHosts }, owner.key);
    expect(performance.now() - startedAtMs).toBeLessThan(5_000);
    await api.call("ssh.cancel", { id }, owner.key);
    await end(id);
  }, 60_000);

  it("[E42] a password is shown to the machine alone, not to those on the way", () => {
    const { transports, credentials } = sshTargetOf(api.ctx, owner.principal, {
      host: {
        ...{ host: "gpu1", port: 22, user: "ada", transports: ["direct"] },
        jumps: [{ host: "bastion", port: 22, user: "ada" }],
      },
      credentials: { password: "of-gpu1", keys: [{ label: "key", text: "k" }] },
    });
    expect(credentials.password).toBe("of-gpu1");
    expect(transports).toMatchObject([
      { kind: "jump", hops: [{ credentials: { keys: [{ label: "key" }] } }] },
    ]);
    expect(JSON.stringify(transports)).not.toContain("of-gpu1");
  });
});

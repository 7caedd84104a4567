import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { InputOf } from "@nexus/shared/api/contract";
import type { Target } from "@nexus/shared/api/schemas";
import { sshStartSchema } from "@nexus/shared/api/ssh";
import { newId } from "@nexus/shared/ids";
import { parseKnownHosts } from "@nexus/ssh/host-keys/known-hosts";
import { fingerprintOf } from "@nexus/ssh/host-keys/public-key";
import { SshError } from "@nexus/ssh/ssh-error";
import { newTestKey } from "@nexus/ssh/testing/test-keys";
import { startTestSshd, type TestSshd } from "@nexus/ssh/testing/test-sshd";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { startTestApi, type TestApi } from "../../api/testing/test-api.ts";
import { addTestPerson, addTestTeam, type TestPerson } from "../../api/testing/test-people.ts";
import { insertSshTarget } from "../../db/queries/insert-ssh-target.ts";
import { putTargetSsh } from "../../db/queries/put-target-ssh.ts";
import { connectMachine } from "./connect-machine.ts";
import { createSshConnector } from "./create-ssh-connector.ts";
import { heedSignal } from "./heed-signal.ts";
import { keepKey } from "./keep-key.ts";
import type { MachineWork } from "./machine-work.ts";
import { sshTargetOf } from "./reach-machine.ts";
import type { SshContext } from "./ssh-context.ts";
import { createSshRun } from "./ssh-run.ts";

// It reads as ever, and is counted.
vi.mock("@nexus/ssh/host-keys/known-hosts", { spy: true });

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
    const read = () => api.call("ssh.read", { id, waitMs: 0 }, owner.key);
    await expect.poll(async () => (await read()).ended, { timeout: 30_000 }).toBe(true);
    return await read();
  }

  it("[E43] no connection waits for who walks to the machine, and they are who confirmed", async () => {
    const machine = await startMachine();
    const id = await giveBack(machine, [], true);
    const fingerprint = fingerprintOf(machine.hostKey);
    const machineOf = async () => (await api.call("ssh.read", { id, waitMs: 0 }, owner.key)).hosts[0];
    await expect.poll(async () => (await machineOf())?.question?.fingerprint).toBe(fingerprint);
    // Its server would hang up on who stays silent.
    await expect.poll(machine.openCount).toBe(0);
    expect(await machineOf()).toMatchObject({ state: "asking", question: { fingerprint } });
    const before = machine.connectionCount();
    await api.call("ssh.answer", { id, host: 0, fingerprint, accept: true }, admin.key);
    const { hosts } = await end(id);
    expect(hosts[0]).toMatchObject({ state: "done", question: null });
    expect(machine.connectionCount()).toBeGreaterThan(before);
    const audit = await api.call("audit.list", {}, owner.key);
    const confirmed = audit.find(({ action }) => action === "ssh_host_key.confirmed");
    expect(JSON.stringify(confirmed)).toContain(admin.principal.userName);
    expect(JSON.stringify(confirmed)).not.toContain(owner.principal.userName);
  });

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
  });

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
  });

  it("[E45] a large known_hosts is read once for all machines", async () => {
    const line = `${"x".repeat(200)} ${newTestKey().publicKey.type} ${newTestKey().publicKey.base64}\n`;
    const knownHosts = line.repeat(Math.floor((1024 * 1024) / line.length));
    const hosts = Array.from({ length: 500 }, (_, at) => ({ host: "127.0.0.1", port: 1, user: `u${at}` }));
    vi.mocked(parseKnownHosts).mockClear();
    const { id } = await api.call("ssh.start", { act: "uninstall", hosts, knownHosts }, owner.key);
    await api.call("ssh.cancel", { id }, owner.key);
    await end(id);
    expect(parseKnownHosts).toHaveBeenCalledTimes(1);
    expect(vi.mocked(parseKnownHosts).mock.results[0]?.value.entries.length).toBeGreaterThan(1000);
  });

  it("[E42] a password is shown to the machine alone, not to those on the way", () => {
    const { transports, credentials } = sshTargetOf(api.ctx, owner.principal, {
      host: {
        ...{ host: "gpu1", port: 22, user: "ada", transports: [{ kind: "direct" }], legacy: false },
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

  it("[A6] work ends when whoever began it may no longer begin it", async () => {
    const person = await addTestPerson(api.ctx, owner.principal.teamId, "admin");
    const { host, port, user } = await startMachine();
    const hosts = [{ host, port, user }];
    const { id } = await api.call("ssh.start", { act: "uninstall", hosts, canAsk: true }, person.key);
    const stateOf = async () => (await api.call("ssh.read", { id, waitMs: 0 }, owner.key)).hosts[0]?.state;
    await expect.poll(stateOf).toBe("asking");
    await api.call("members.setRole", { userId: person.principal.userId, role: "member" }, owner.key);
    const run = await end(id);
    expect(run.hosts[0]).toMatchObject({ state: "cancelled", question: null });
    expect(run.hosts[0]?.message).toMatch(/may no longer do this/);
  });

  it("[E42] keys and passwords are not taken over plain http", async () => {
    const input = {
      act: "uninstall",
      hosts: [{ host: "127.0.0.1", port: 1, user: "ada", credentials: { password: "hunter2pass" } }],
    };
    const authorization = `Bearer ${owner.key}`;
    const start = async (headers: Partial<Record<string, string>>) =>
      await (
        await api.rawCall("ssh.start", input, { authorization, ...(headers as Record<string, string>) })
      ).text();
    for (const headers of [{ origin: "http://nexus.lan" }, { "x-forwarded-proto": "http" }])
      expect(await start(headers)).toMatch(/plain http.*are not taken/);
    for (const headers of [{ origin: "https://nexus.lan" }, { origin: "http://127.0.0.1:8" }, {}])
      expect(await start(headers)).toMatch(/"id":"/);
  });

  it("[E41] what hears no signal is waited for until the run is cancelled, and no longer", async () => {
    const run = new AbortController();
    const waiting = heedSignal(new Promise<never>(() => undefined), run.signal);
    run.abort(new Error("cancelled"));
    await expect(waiting).rejects.toThrow("cancelled");
    await expect(heedSignal(Promise.resolve(1), run.signal)).rejects.toThrow("cancelled");
    expect(await heedSignal(Promise.resolve(1), new AbortController().signal)).toBe(1);
  });

  it("[E47] a key is replaced only when the machine refuses it, and then its line goes", async () => {
    const machine = await startMachine();
    const { host, port, user } = machine;
    const publicId = newId("target", randomBytes);
    const { teamId } = owner.principal;
    const targetId = await insertSshTarget(api.ctx.db, { publicId, teamId, name: "kept", labels: {} });
    const way = {
      host,
      port,
      user,
      jumps: [],
      transports: [{ kind: "direct" as const }],
      hostKeyName: `[${host}]:${port}`,
    };
    await putTargetSsh(api.ctx.db, { targetId: targetId ?? 0, ...way, updatedAt: new Date() });
    const connector = createSshConnector({ env: {}, nowMs: Date.now });
    const ctx = { ...api.ctx, masterKey: randomBytes(32), connector } as unknown as SshContext;
    const input = sshStartSchema.parse({
      hosts: [{ host, port, user }],
      acceptHostKeys: [fingerprintOf(machine.hostKey)],
    });
    const run = createSshRun({
      ...{ id: "sr_1", act: "enrol", principal: owner.principal, addresses: ["x"], secrets: [] },
      ...{ startedAtMs: 0, nowMs: Date.now },
    });
    const credentials = { keys: [{ label: "key", text: machine.userKey.privateKey }] };
    const reach = { host: { ...way, legacy: false, hostKeyAlias: undefined }, credentials };
    const work = { run, index: 0, host: input.hosts[0], reach, input } as MachineWork;
    const { session } = await connectMachine(ctx, work);
    onTestFinished(() => session.close());
    const target = { id: publicId, name: "kept" } as Target;
    const keep = (over: Partial<SshContext> = {}) => keepKey({ ...ctx, ...over }, session, { work, target });
    const file = join(machine.home, ".ssh/authorized_keys");
    const lines = () =>
      readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => line.includes("nexus kept"));
    await keep();
    expect(lines()).toHaveLength(1);
    const [first] = lines();

    const cut = { ...connector, connect: () => Promise.reject(new SshError("unreachable", "No network.")) };
    await expect(keep({ connector: cut })).rejects.toThrow("No network.");
    expect(lines()).toEqual([first]);

    // Refused by the machine: replaced.
    const text = readFileSync(file, "utf8");
    writeFileSync(
      file,
      text
        .split("\n")
        .filter((line) => !line.includes("nexus kept"))
        .join("\n"),
    );
    await keep();
    expect(lines()).toHaveLength(1);
    expect(lines()).not.toEqual([first]);
  });
});

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fingerprintOf } from "@nexus/ssh/host-keys/public-key";
import { newTestKey } from "@nexus/ssh/testing/test-keys";
import { startTestSshd, type TestSshd } from "@nexus/ssh/testing/test-sshd";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { Nexus } from "../harness/nexus.ts";
import { until } from "../harness/until.ts";

describe("machines without an agent that allow little", () => {
  let nexus: Nexus;
  beforeAll(async () => {
    nexus = await Nexus.start();
  });
  afterAll(() => nexus?.dispose());

  async function startMachine(name: string, lines: string[] = []): Promise<TestSshd> {
    const machine = await startTestSshd({ lines });
    onTestFinished(async () => {
      await nexus.call("targets.remove", { target: name, force: true }).catch(() => undefined);
      await machine.close();
    });
    return machine;
  }

  async function add(machine: TestSshd, words: string[]) {
    const keyFile = join(machine.folder, "key");
    writeFileSync(keyFile, machine.userKey.privateKey, { mode: 0o600 });
    const command = nexus.cli([
      ...["targets", "add", "--no-config", "--agentless", "--identity", keyFile, "--allow-root"],
      ...["--accept-host-key", fingerprintOf(machine.hostKey), ...words],
    ]);
    return { code: await command.exit(), said: `${command.stdout}${command.stderr}` };
  }
  const addressOf = ({ user, port }: TestSshd) => `${user}@127.0.0.1:${port}`;

  async function addMachine(name: string, lines: string[] = [], bashrc = ""): Promise<TestSshd> {
    const machine = await startMachine(name, lines);
    writeFileSync(join(machine.home, ".bashrc"), bashrc);
    const { code, said } = await add(machine, [addressOf(machine), "--name", name]);
    expect([code, said]).toEqual([0, expect.stringContaining(`${name} is connected`)]);
    return machine;
  }

  const submit = (target: string, script: string, rest: { timeoutMs?: number; graceMs?: number } = {}) =>
    nexus.submit({ command: ["sh", "-c", script], target, gpus: 0, ...rest });
  /** Ends at nothing but SIGKILL. */
  const DEAF = "trap '' TERM; while :; do sleep 0.2; done";

  it.each([1, 2])(
    "[E63] with %d session a connection jobs run side by side, and all that ignore TERM are ended",
    async (sessions) => {
      await addMachine(`narrow${sessions}`, [`MaxSessions ${sessions}`]);
      const target = `narrow${sessions}`;
      const short = await Promise.all(
        [1, 2, 3, 4].map((at) => submit(target, `echo ${at}; sleep 1; echo end`)),
      );
      for (const [at, { id }] of short.entries()) {
        expect(await nexus.ended(id)).toMatchObject({ state: "succeeded" });
        expect(String(await nexus.log(id))).toBe(`${at + 1}\nend\n`);
      }
      const deaf = await Promise.all(
        Array.from({ length: 12 }, () => submit(target, DEAF, { graceMs: 1_000 })),
      );
      for (const { id } of deaf) await nexus.inState(id, "running");
      await nexus.call("jobs.cancel", { jobs: deaf.map(({ id }) => id) });
      const states = await Promise.all(deaf.map(async ({ id }) => (await nexus.ended(id)).state));
      expect(new Set(states)).toEqual(new Set(["cancelled"]));
    },
  );

  it("[E63] deadlines of many are kept, and told as such after a cut", async () => {
    const machine = await addMachine("dense");
    const limits = { timeoutMs: 3_000, graceMs: 2_000 };
    const jobs = await Promise.all(Array.from({ length: 12 }, () => submit("dense", DEAF, limits)));
    for (const { id } of jobs) await nexus.inState(id, "running");
    await until("their time is up", async () => {
      const job = await nexus.job(jobs[0]?.id ?? "");
      return Date.now() - (job.startedAtMs ?? Date.now()) > 4_000;
    });
    machine.cutAll();
    const states = await Promise.all(jobs.map(async ({ id }) => (await nexus.ended(id)).state));
    expect(new Set(states)).toEqual(new Set(["timed_out"]));
  });

  it("[E63] what the log-in prints is in no log and breaks nothing", async () => {
    await addMachine("noisy", [], "echo HELLO\nprintf 'and no newline'\n");
    const { id } = await submit("noisy", "printf bytes");
    expect((await nexus.ended(id)).state).toBe("succeeded");
    expect(String(await nexus.log(id))).toBe("bytes");
    const { facts } = await nexus.call("targets.get", { target: "noisy" });
    expect(facts?.kernel).toMatch(/^\d/);
  });

  it("[E64] once its new host key is in place it is served again at once", async () => {
    const machine = await addMachine("renewed");
    const other = newTestKey("other");
    writeFileSync(join(machine.folder, "host_key"), other.privateKey, { mode: 0o600 });
    machine.cutAll();
    const name = `[127.0.0.1]:${machine.port}`;
    await until("its key is refused", async () => {
      const known = await nexus.call("ssh.hostKeys", undefined);
      return known.some((host) => host.name === name && host.refused !== null);
    });
    const [before, after] = [fingerprintOf(machine.hostKey), fingerprintOf(other.publicKey)];
    await nexus.call("ssh.replaceHostKey", { name, old: before, new: after, reason: "set up anew" });
    await nexus.targetConnected("renewed");
  });

  it("[E65] an old machine is reached once weak algorithms are allowed for it", async () => {
    const old = await startMachine("old", [
      "KexAlgorithms diffie-hellman-group14-sha1",
      "Ciphers aes128-cbc",
    ]);
    const words = [addressOf(old), "--name", "old"];
    const refused = await add(old, words);
    expect([refused.code, refused.said]).toEqual([
      1,
      expect.stringMatching(/share no algorithm[\s\S]*--legacy/),
    ]);
    const { code, said } = await add(old, [...words, "--legacy"]);
    expect([code, said]).toEqual([0, expect.stringContaining("old is connected")]);
    const { id } = await submit("old", "echo here");
    expect((await nexus.ended(id)).state).toBe("succeeded");
  });

  it("[E66] a machine of an inventory is called as it is there, once, and a refused attempt forgets nothing", async () => {
    const machine = await startMachine("rack7");
    const list = join(machine.folder, "hosts.ini");
    const host = `ansible_host=127.0.0.1 ansible_port=${machine.port} ansible_user=${machine.user}`;
    writeFileSync(
      list,
      `[gpus]\nrack7 ${host}\nrack8 ansible_host=10.0.0.8 ansible_ssh_common_args='-o ProxyCommand="nc x 22"'\n`,
    );
    const first = await add(machine, ["--hosts", list]);
    expect(first.said).toContain("rack7 is connected");
    expect(first.said).toContain("ProxyCommand would run on another machine");
    writeFileSync(list, `[gpus]\nrenamed ${host}\n`);
    expect((await add(machine, ["--hosts", list])).said).toContain("It is rack7");
    const stranger = join(machine.folder, "stranger");
    writeFileSync(stranger, newTestKey().privateKey, { mode: 0o600 });
    const wrong = nexus.cli([
      "targets",
      "add",
      addressOf(machine),
      "--no-config",
      "--agentless",
      "-i",
      stranger,
    ]);
    expect(await wrong.exit()).toBe(1);
    const ways = await nexus.call("ssh.ways", undefined);
    expect(ways.find(({ target }) => target.name === "rack7")?.transports[0]).toMatchObject({
      successRate: expect.any(Number),
      lastSuccessAtMs: expect.any(Number),
    });
  });
});

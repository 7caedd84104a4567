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

  async function addMachine(name: string, lines: string[] = [], bashrc = ""): Promise<TestSshd> {
    const machine = await startTestSshd({ lines });
    onTestFinished(async () => {
      await nexus.call("targets.remove", { target: name, force: true }).catch(() => undefined);
      await machine.close();
    });
    writeFileSync(join(machine.home, ".bashrc"), bashrc);
    const keyFile = join(machine.folder, "key");
    writeFileSync(keyFile, machine.userKey.privateKey, { mode: 0o600 });
    const add = nexus.cli([
      ...["targets", "add", `${machine.user}@127.0.0.1:${machine.port}`, "--no-config", "--agentless"],
      ...["--name", name, "--identity", keyFile, "--allow-root"],
      ...["--accept-host-key", fingerprintOf(machine.hostKey)],
    ]);
    const code = await add.exit();
    if (code !== 0) throw new Error(`${add.stdout}${add.stderr}`);
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
});

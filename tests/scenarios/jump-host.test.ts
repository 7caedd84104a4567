import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fingerprintOf } from "@nexus/ssh/host-keys/public-key";
import { startTestSshd, type TestSshd } from "@nexus/ssh/testing/test-sshd";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Nexus } from "../harness/nexus.ts";

/** Each machine lets in its own key of the person alone; the second jump host leads to the same address as the first. */
describe("a machine behind a jump host", () => {
  let nexus: Nexus;
  let bastion: TestSshd;
  let other: TestSshd;
  let machine: TestSshd;
  beforeAll(async () => {
    nexus = await Nexus.start();
    bastion = await startTestSshd();
    other = await startTestSshd();
    machine = await startTestSshd();
  });
  afterAll(async () => {
    await nexus?.dispose();
    await machine?.close();
    await other?.close();
    await bastion?.close();
  });

  const addressOf = ({ user, port }: TestSshd) => `${user}@127.0.0.1:${port}`;
  const keysOf = (machines: TestSshd[]) =>
    machines.flatMap(({ folder, userKey }) => {
      const path = join(folder, "key");
      writeFileSync(path, userKey.privateKey, { mode: 0o600 });
      return ["--identity", path];
    });
  const ownKeysOf = ({ home }: TestSshd) => {
    const path = join(home, ".ssh/authorized_keys");
    return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n").filter(Boolean) : [];
  };
  const cli = async (args: string[]) => {
    const command = nexus.cli(args);
    const code = await command.exit();
    return { code, said: `${command.stdout}${command.stderr}` };
  };
  const add = (name: string, by: TestSshd, keys: TestSshd[]) =>
    cli([
      ...["targets", "add", addressOf(machine), "-J", addressOf(by), "--no-config", "--agentless"],
      ...["--name", name, "--allow-root", ...keysOf(keys)],
      ...["--accept-host-key", fingerprintOf(machine.hostKey)],
      ...["--accept-host-key", fingerprintOf(by.hostKey)],
    ]);

  it("[E54] what is claimed to be proved is: the kept key leads all the way, and on the jump host nowhere else", async () => {
    const { code, said } = await add("behind", bastion, [machine, bastion]);
    expect([code, said]).toEqual([0, expect.stringContaining("behind is connected")]);
    const place = `127.0.0.1:${machine.port}`;
    expect(said).toContain(`${addressOf(bastion)} lets it on to ${place}, and runs nothing for it.`);
    expect(ownKeysOf(bastion)).toEqual([
      expect.stringMatching(
        new RegExp(`^restrict,port-forwarding,command="[^"]+",permitopen="${place}" ssh-ed25519 `),
      ),
    ]);
    expect(ownKeysOf(machine)).toEqual([expect.stringMatching(/^restrict,pty,port-forwarding ssh-ed25519 /)]);
    // Nobody is there with keys of their own any more.
    await nexus.server.kill("SIGKILL");
    await nexus.startServer();
    await nexus.targetConnected("behind");
    const job = await nexus.submit({ command: ["sh", "-c", "echo here"], target: "behind", gpus: 0 });
    expect((await nexus.ended(job.id)).state).toBe("succeeded");
    expect(String(await nexus.log(job.id))).toBe("here\n");
  });

  it("[E54] the same again is the same target, and keeps its key", async () => {
    const before = ownKeysOf(machine);
    const { code, said } = await add("behind", bastion, [machine, bastion]);
    expect([code, said]).toEqual([0, expect.stringContaining("already, without an agent")]);
    expect(said).toContain("Its key lets Nexus in already.");
    expect(ownKeysOf(machine)).toEqual(before);
  });

  it("[E54] the same address behind another jump host is another target, and the first stays as it is", async () => {
    const { code, said } = await add("elsewhere", other, [machine, other]);
    expect([code, said]).toEqual([0, expect.stringContaining("elsewhere is connected")]);
    const { targets } = await nexus.call("fleet.list", undefined);
    expect(targets.map(({ name, state }) => [name, state]).sort()).toEqual([
      ["behind", "connected"],
      ["elsewhere", "connected"],
    ]);
    expect(ownKeysOf(bastion)).toHaveLength(1);
    expect(ownKeysOf(other)).toHaveLength(1);
  });

  it("[E59] its key is changed on the whole way, by a key of the person's, without which nothing is touched", async () => {
    const before = [ownKeysOf(bastion), ownKeysOf(machine)];
    const alone = await cli(["targets", "rotate-key", "behind", "--yes"]);
    expect([alone.code, alone.said]).toEqual([1, expect.stringContaining("--identity FILE")]);
    expect([ownKeysOf(bastion), ownKeysOf(machine)]).toEqual(before);
    const rotated = await cli(["targets", "rotate-key", "behind", "--yes", ...keysOf([bastion])]);
    expect([rotated.code, rotated.said]).toEqual([0, expect.stringContaining("by its new key alone")]);
    for (const [at, one] of [bastion, machine].entries()) {
      const lines = ownKeysOf(one);
      expect(lines).toHaveLength(before[at]?.length ?? 0);
      expect(lines.filter((line) => before[at]?.includes(line)).length).toBe(lines.length - 1);
    }
    await nexus.targetConnected("behind");
  });

  it("[E54] giving it back takes the key from the jump host too, or says where it stays", async () => {
    const own = await cli(["targets", "remove", "elsewhere", "--uninstall", "--yes", ...keysOf([other])]);
    expect([own.code, own.said]).toEqual([0, expect.stringContaining("taken out of authorized_keys of")]);
    expect(ownKeysOf(other)).toEqual([]);
    const without = await cli(["targets", "remove", "behind", "--uninstall", "--yes"]);
    expect([without.code, without.said]).toEqual([
      0,
      expect.stringContaining(` may stay on ${addressOf(bastion)}`),
    ]);
    expect(ownKeysOf(machine)).toEqual([]);
  });

  it("[E54] a machine that shares its home with the jump host still lets the key run jobs", async () => {
    const config = join(machine.folder, "sshd_config");
    const before = readFileSync(config, "utf8");
    writeFileSync(
      config,
      before.replaceAll(machine.home, () => bastion.home),
    );
    const { code, said } = await add("shared", bastion, [machine, bastion]);
    expect([code, said]).toEqual([0, expect.stringContaining("shared is connected")]);
    const job = await nexus.submit({ command: ["sh", "-c", "echo here"], target: "shared", gpus: 0 });
    expect((await nexus.ended(job.id)).state).toBe("succeeded");
    writeFileSync(config, before);
  });
});

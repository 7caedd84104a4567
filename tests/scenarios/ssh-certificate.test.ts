import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fingerprintOf, formatPublicKey } from "@nexus/ssh/host-keys/public-key";
import { newTestKey } from "@nexus/ssh/testing/test-keys";
import { startTestSshd, type TestSshd } from "@nexus/ssh/testing/test-sshd";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { Nexus } from "../harness/nexus.ts";

describe("a machine that takes certificates", () => {
  let nexus: Nexus;
  let machine: TestSshd;
  beforeAll(async () => {
    nexus = await Nexus.start();
    const authority = newTestKey("authority");
    writeFileSync(file("ca"), authority.privateKey, { mode: 0o600 });
    writeFileSync(file("ca.pub"), formatPublicKey(authority.publicKey));
    machine = await startTestSshd({ lines: [`TrustedUserCAKeys ${file("ca.pub")}`], authorizedKeys: "" });
    const person = newTestKey("person");
    writeFileSync(file("person"), person.privateKey, { mode: 0o600 });
    writeFileSync(file("person.pub"), formatPublicKey(person.publicKey));
  });
  afterAll(async () => {
    await nexus?.dispose();
    await machine?.close();
  });

  const file = (name: string) => join(nexus.home, name);
  const add = async (key: string) => {
    const command = nexus.cli([
      ...["targets", "add", `${machine.user}@127.0.0.1:${machine.port}`, "--no-config", "--agentless"],
      ...["--name", "signed", "--allow-root", "--identity", file(key)],
      ...["--accept-host-key", fingerprintOf(machine.hostKey)],
    ]);
    return { code: await command.exit(), said: `${command.stdout}${command.stderr}` };
  };

  it("[E56] the certificate beside a key lets in where the key alone does not, and jobs run", async () => {
    const bare = await add("person");
    expect([bare.code, bare.said]).toEqual([1, expect.stringContaining("did not let")]);
    const signing = ["-q", "-s", file("ca"), "-I", "person", "-n", machine.user, file("person.pub")];
    execFileSync("ssh-keygen", signing, { stdio: "ignore" });
    const { code, said } = await add("person");
    expect([code, said]).toEqual([0, expect.stringContaining("signed is connected")]);
    expect(said).toContain("A certificate came with the key: the system's ssh logs in");
    const job = await nexus.submit({ command: ["sh", "-c", "echo here"], target: "signed", gpus: 0 });
    expect((await nexus.ended(job.id)).state).toBe("succeeded");
    expect(String(await nexus.log(job.id))).toBe("here\n");
  });

  it("[E56] so it is behind a jump host that takes certificates alone", async () => {
    const lines = [`TrustedUserCAKeys ${file("ca.pub")}`];
    const [bastion, inner] = await Promise.all(
      [1, 2].map(() => startTestSshd({ lines, authorizedKeys: "" })),
    );
    if (bastion === undefined || inner === undefined) throw new Error("two were started");
    onTestFinished(async () => {
      await inner.close();
      await bastion.close();
    });
    const command = nexus.cli([
      ...["targets", "add", `${inner.user}@127.0.0.1:${inner.port}`, "--no-config", "--agentless"],
      ...["-J", `${bastion.user}@127.0.0.1:${bastion.port}`, "--name", "inner", "--allow-root"],
      ...["--identity", file("person"), "--accept-host-key", fingerprintOf(inner.hostKey)],
      ...["--accept-host-key", fingerprintOf(bastion.hostKey)],
    ]);
    const code = await command.exit();
    const said = `${command.stdout}${command.stderr}`;
    expect([code, said]).toEqual([0, expect.stringContaining("inner is connected")]);
    for (const { port } of [bastion, inner]) expect(said).toContain(`[127.0.0.1]:${port} has the key`);
    const { id } = await nexus.submit({ command: ["true"], target: "inner", gpus: 0 });
    expect((await nexus.ended(id)).state).toBe("succeeded");
    await nexus.call("targets.remove", { target: "inner", force: true });
  });

  it("[E56] a changed host key is refused for it as for any other", async () => {
    const other = newTestKey("other");
    writeFileSync(join(machine.folder, "host_key"), other.privateKey, { mode: 0o600 });
    const { code, said } = await add("person");
    expect([code, said]).toEqual([1, expect.stringContaining("is not the one that is known")]);
    expect(said).toContain(fingerprintOf(other.publicKey));
  });

  it("[E56] the key of a security key is refused with what to do instead", async () => {
    const kind = "sk-ssh-ed25519@openssh.com";
    const blob = Buffer.concat([
      Buffer.from("openssh-key-v1\0\0\0\0\x04none\0\0\0\x04none\0\0\0\0\0\0\0\x01\0\0\0\x4a\0\0\0"),
      Buffer.from([kind.length]),
      Buffer.from(kind),
      Buffer.alloc(48),
    ]).toString("base64");
    const armour = (word: string) => `-----${word} OPENSSH PRIVATE KEY-----`;
    writeFileSync(file("id_sk"), `${armour("BEGIN")}\n${blob}\n${armour("END")}\n`, { mode: 0o600 });
    const { code, said } = await add("id_sk");
    expect([code, said]).toEqual([64, expect.stringContaining("belongs to a security key")]);
    expect(said).toContain("nexus targets add");
  });
});

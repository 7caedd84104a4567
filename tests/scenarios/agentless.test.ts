import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fingerprintOf, parsePublicKey } from "@nexus/ssh/host-keys/public-key";
import { startTestSshd, type TestSshd } from "@nexus/ssh/testing/test-sshd";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { Nexus } from "../harness/nexus.ts";
import { until } from "../harness/until.ts";

const UUID = "GPU-0a1b2c3d-1111-2222-3333-444455556666";
/** Stands in for nvidia-smi, in its words: one H100, a row a second where it stays. */
const SMI = `#!/bin/sh
case "$*" in
*query-compute-apps*) exit 0 ;;
*query-gpu*)
  while :; do
    echo "0, ${UUID}, 81559, 80945, 0, 7, 41, 69.50, 700.00, 570.86.15, NVIDIA H100 80GB HBM3"
    case "$*" in *-lms*) sleep 1 ;; *) exit 0 ;; esac
  done ;;
esac
`;

describe("a target without an agent", () => {
  let nexus: Nexus;
  let machine: TestSshd;
  beforeAll(async () => {
    nexus = await Nexus.start();
    machine = await startTestSshd();
    const bin = join(machine.folder, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "nvidia-smi"), SMI, { mode: 0o755 });
    const config = join(machine.folder, "sshd_config");
    const path = `SetEnv HOME=${machine.home} PATH=${bin}:/usr/bin:/bin`;
    writeFileSync(
      config,
      readFileSync(config, "utf8").replace(/^SetEnv HOME=.*$/m, () => path),
    );
    const keyFile = join(machine.folder, "key");
    writeFileSync(keyFile, machine.userKey.privateKey, { mode: 0o600 });
    const add = nexus.cli([
      ...[
        "targets",
        "add",
        `${machine.user}@127.0.0.1:${machine.port}`,
        "--no-config",
        "--agentless",
        "--name",
        "bare",
      ],
      ...["--identity", keyFile, "--allow-root", "--accept-host-key", fingerprintOf(machine.hostKey)],
    ]);
    const code = await add.exit();
    if (code !== 0) throw new Error(`${add.stdout}${add.stderr}`);
  });
  afterAll(async () => {
    await nexus?.dispose();
    await machine?.close();
  });

  const file = (name: string) => join(machine.home, name);
  const text = (name: string) => (existsSync(file(name)) ? readFileSync(file(name), "utf8") : "");

  it("[E50] jobs end with their exit code and log, on the GPUs that they were given, and it is marked", async () => {
    const failing = await nexus.submit({
      command: ["sh", "-c", "echo out; echo err >&2; exit 3"],
      target: "bare",
      gpus: 0,
    });
    expect(await nexus.ended(failing.id)).toMatchObject({ state: "failed", exitCode: 3 });
    expect(String(await nexus.log(failing.id))).toBe("out\nerr\n");
    const onGpu = await nexus.submit({
      command: ["sh", "-c", 'echo "$CUDA_VISIBLE_DEVICES $SAID"'],
      env: { SAID: "$(touch pwned) 'x'" },
      target: "bare",
      gpus: 1,
    });
    expect((await nexus.ended(onGpu.id)).state).toBe("succeeded");
    expect(String(await nexus.log(onGpu.id))).toBe(`${UUID} $(touch pwned) 'x'\n`);
    expect(existsSync(file("pwned"))).toBe(false);
    const missing = await nexus.submit({ command: ["no-such-program"], target: "bare", gpus: 0 });
    expect(await nexus.ended(missing.id)).toMatchObject({ state: "failed", exitCode: 127 });

    const target = await nexus.call("targets.get", { target: "bare" });
    expect(target).toMatchObject({ kind: "ssh", state: "connected" });
    expect(target.gpus[0]).toMatchObject({
      uuid: UUID,
      memoryTotalMib: 81_559,
      sample: { memoryUsedMib: 614 },
    });
    const list = nexus.cli(["targets"]);
    await list.exit();
    expect(list.stdout).toMatch(/bare +● connected, agentless/);
  });

  it("[E50] a cancel ends the whole tree, and a deadline is kept", async () => {
    const tree = `setsid sh -c 'echo $$ >left; exec sleep 600' & echo $$ >main; wait`;
    const job = await nexus.submit({ command: ["sh", "-c", tree], target: "bare", gpus: 0, graceMs: 500 });
    await until("it runs", async () => text("left") !== "" && text("main") !== "");
    await nexus.call("jobs.cancel", { jobs: [job.id] });
    expect((await nexus.ended(job.id)).state).toBe("cancelled");
    for (const name of ["left", "main"]) expect(isAlive(Number(text(name)))).toBe(false);
    const late = await nexus.submit({
      command: ["sleep", "600"],
      target: "bare",
      gpus: 0,
      timeoutMs: 1000,
      graceMs: 0,
    });
    expect((await nexus.ended(late.id)).state).toBe("timed_out");
  });

  it("[E52] a port of it is reached through the control plane, by who may", async () => {
    const service = createServer((asked, response) => response.end(`hello ${asked.url}`));
    await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void service.close());
    const { port } = service.address() as AddressInfo;
    const forward = nexus.cli(["port-forward", "bare", `0:${port}`]);
    const [, address] = await until("it listens", async () =>
      /^(127\.0\.0\.1:\d+) leads to/.exec(forward.stdout),
    );
    expect(await (await fetch(`http://${address}/x`)).text()).toBe("hello /x");
    await forward.kill("SIGINT");

    const nothing = nexus.cli(["port-forward", "bare", "0:1"]);
    await nothing.exit();
    expect(nothing.stderr).toContain("Nothing listens on 127.0.0.1:1 there");
    const upgrade = { connection: "Upgrade", upgrade: "nexus-tunnel" };
    const statusOf = (headers: Record<string, string>) =>
      new Promise((resolve) => {
        const url = `${nexus.url}/ws/tunnel?target=bare&port=${port}`;
        const asked = request(url, { headers: { ...upgrade, ...headers } });
        asked.on("response", ({ statusCode }) => resolve(statusCode)).on("upgrade", () => resolve("open"));
        asked.end();
      });
    expect(await statusOf({})).toBe(401);
    expect(await statusOf({ authorization: `Bearer ${nexus.apiKey}`, origin: nexus.url })).toBe(401);
    const viewer = await nexus.call("apiKeys.create", { name: "look", role: "viewer" });
    expect(await statusOf({ authorization: `Bearer ${viewer.secret}` })).toBe(403);
  });

  it("[E51] a job outlives cut connections and the control plane, runs once, and its log has no gap", async () => {
    const script = `echo begun >>starts; i=0; while [ ! -e done ]; do i=$((i + 1)); echo "line $i"; sleep 0.02; done; echo last`;
    const job = await nexus.submit({ command: ["sh", "-c", script], target: "bare", gpus: 0 });
    await nexus.inState(job.id, "running");
    machine.cutAll();
    await until(
      "the target is away",
      async () => (await nexus.call("targets.get", { target: "bare" })).state !== "connected",
    );
    await nexus.targetConnected("bare");
    await nexus.server.kill("SIGKILL");
    await nexus.startServer();
    await nexus.targetConnected("bare");
    await nexus.inState(job.id, "running");
    writeFileSync(file("done"), "");
    expect((await nexus.ended(job.id)).state).toBe("succeeded");
    const lines = String(await nexus.log(job.id))
      .trimEnd()
      .split("\n");
    expect(lines.at(-1)).toBe("last");
    expect(lines.slice(0, -1)).toEqual(lines.slice(0, -1).map((_line, at) => `line ${at + 1}`));
    expect(text("starts")).toBe("begun\n");
    await until("nothing of the runs is left", async () => {
      const runs = join(machine.home, ".nexus/ssh-runs");
      return readdirSync(runs).length === 0;
    });
  });

  it("[E59][E60] its key is changed while a job runs: the job goes on, the new key serves, the old one opens nothing", async () => {
    const script = 'while [ ! -e rotated ]; do sleep 0.02; done; echo "still here"';
    const job = await nexus.submit({ command: ["sh", "-c", script], target: "bare", gpus: 0 });
    await nexus.inState(job.id, "running");
    const keys = () => text(".ssh/authorized_keys").trim().split("\n");
    const [before] = keys();
    expect(keys()).toHaveLength(1);
    const rotate = nexus.cli(["targets", "rotate-key", "bare", "--yes"]);
    expect([await rotate.exit(), rotate.stdout + rotate.stderr]).toEqual([
      0,
      expect.stringContaining("bare lets Nexus in by its new key alone."),
    ]);
    expect(rotate.stdout + rotate.stderr).not.toMatch(/PRIVATE KEY/);
    expect(keys()).toHaveLength(1);
    expect(keys()).not.toEqual([before]);
    await nexus.targetConnected("bare");
    writeFileSync(file("rotated"), "");
    expect((await nexus.ended(job.id)).state).toBe("succeeded");
    expect(String(await nexus.log(job.id))).toBe("still here\n");
    machine.cutAll();
    await until(
      "it is away",
      async () => (await nexus.call("targets.get", { target: "bare" })).state !== "connected",
    );
    await nexus.targetConnected("bare");
    const audit = await nexus.call("audit.list", {});
    expect(audit.map(({ action }) => action)).toContain("ssh.key_rotation_started");

    const [way] = await nexus.call("ssh.ways", undefined);
    expect(way).toMatchObject({
      target: { name: "bare", kind: "ssh" },
      way: `${machine.user}@127.0.0.1:${machine.port}`,
      key: { type: "ssh-ed25519", fingerprint: fingerprintOf(keyIn(keys()[0])) },
      servedOver: `direct 127.0.0.1:${machine.port}`,
      transports: [{ transport: `direct 127.0.0.1:${machine.port}`, state: "works", lastError: null }],
    });
    const listed = nexus.cli(["targets", "ways"]);
    expect([await listed.exit(), listed.stdout]).toEqual([0, expect.stringMatching(/bare .*● in use/)]);
  });

  it("[E59] a new key that does not let in is taken out again, and the old one stays in use", async () => {
    const before = text(".ssh/authorized_keys");
    const config = join(machine.folder, "sshd_config");
    const lines = readFileSync(config, "utf8");
    // What is installed from now on is not what sshd looks at.
    const frozen = join(machine.folder, "frozen_keys");
    writeFileSync(frozen, before, { mode: 0o600 });
    writeFileSync(
      config,
      lines.replace(/^AuthorizedKeysFile .*$/m, () => `AuthorizedKeysFile ${frozen}`),
    );
    const rotate = nexus.cli(["targets", "rotate-key", "bare", "--yes"]);
    expect([await rotate.exit(), rotate.stdout + rotate.stderr]).toEqual([
      1,
      expect.stringContaining("is taken out of authorized_keys"),
    ]);
    writeFileSync(config, lines);
    expect(text(".ssh/authorized_keys")).toBe(before);
    machine.cutAll();
    await until(
      "it is away",
      async () => (await nexus.call("targets.get", { target: "bare" })).state !== "connected",
    );
    await nexus.targetConnected("bare");
  });

  it("[E46] giving it back leaves the agent of the same machine alone", async () => {
    const keyFile = join(machine.folder, "key");
    const host = `${machine.user}@127.0.0.1:${machine.port}`;
    const add = nexus.cli([
      ...["targets", "add", host, "--no-config", "--name", "kept", "--identity", keyFile, "--allow-root"],
      ...["--accept-host-key", fingerprintOf(machine.hostKey)],
    ]);
    expect([await add.exit(), add.stdout + add.stderr]).toEqual([
      0,
      expect.stringContaining("kept is connected"),
    ]);
    const removal = ["targets", "remove", "bare", "--uninstall", "--yes", "--identity", keyFile];
    const removed = nexus.cli(removal);
    expect([await removed.exit(), removed.stdout + removed.stderr]).toEqual([
      0,
      expect.stringContaining("Nothing of bare is left on it."),
    ]);
    const { targets } = await nexus.call("fleet.list", undefined);
    expect(targets.map(({ name, state }) => [name, state])).toEqual([["kept", "connected"]]);
    expect(existsSync(file(".nexus-agent/identity.json"))).toBe(true);
    const rest = nexus.cli(["targets", "remove", "kept", "--uninstall", "--yes", "--identity", keyFile]);
    expect([await rest.exit(), existsSync(file(".nexus-agent"))]).toEqual([0, false]);
  });
});

/** Of a line of authorized_keys, whatever it allows. */
function keyIn(line = "") {
  const key = parsePublicKey(line.slice(line.indexOf("ssh-ed25519")));
  if (key === undefined) throw new Error(`there is no key in ${line}`);
  return key;
}

/** What ended and was not waited for by its parent is still in the table. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, createConnection, createServer } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { newKeyPair } from "@nexus/shared/crypto/ed25519";
import { fingerprintOf } from "@nexus/ssh/host-keys/public-key";
import { newTestKey } from "@nexus/ssh/testing/test-keys";
import { startTestSshd, type TestSshd } from "@nexus/ssh/testing/test-sshd";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { Child } from "../harness/child.ts";
import { cleanEnv, Nexus } from "../harness/nexus.ts";
import { until } from "../harness/until.ts";

/** A machine of the test: its log-ins have a home of their own, and a PATH without Node. */
async function startMachine(
  nexus: Nexus,
  options: { lines?: string[]; home?: string } = {},
): Promise<Machine> {
  const bin = join(nexus.home, "no-node-bin");
  if (!existsSync(bin)) {
    mkdirSync(bin);
    for (const name of PROGRAMS) {
      const path = [`/usr/bin/${name}`, `/bin/${name}`, `/usr/sbin/${name}`].find(existsSync);
      if (path !== undefined) symlinkSync(path, join(bin, name));
    }
  }
  const server = await startTestSshd({ lines: options.lines ?? [] });
  const home = options.home === undefined ? server.home : join(server.home, options.home);
  if (home !== server.home) {
    mkdirSync(join(home, ".ssh"), { recursive: true });
    symlinkSync(join(home, ".ssh"), join(server.home, ".ssh"));
  }
  // Of several SetEnv lines sshd takes the first; the fixture's own sets HOME.
  const config = join(server.folder, "sshd_config");
  const text = readFileSync(config, "utf8").replace(
    /^SetEnv HOME=.*$/m,
    () => `SetEnv "HOME=${home}" PATH=${bin}`,
  );
  writeFileSync(config, text);
  const keyFile = join(server.folder, "key");
  writeFileSync(keyFile, server.userKey.privateKey, { mode: 0o600 });
  return Object.assign(server, { keyFile, home });
}

type Machine = TestSshd & { keyFile: string };

const PROGRAMS =
  "sh env uname id awk df getconf ldd head tail cut grep gzip sha256sum date mkdir rm rmdir mv cat chmod sleep ps setsid nohup cmp ls sed find test true kill bash timeout wc tr touch dirname".split(
    " ",
  );

async function ended(child: Child): Promise<string> {
  await child.exit();
  return `${child.stdout}${child.stderr}`;
}

describe("enrolment over SSH", () => {
  let nexus: Nexus;
  beforeAll(async () => {
    nexus = await Nexus.start();
  });
  afterAll(() => nexus?.dispose());

  /** The machine's agents end with the test. */
  function endWith(machine: TestSshd): void {
    onTestFinished(async () => {
      const held = join(machine.home, ".nexus-agent/keep-running.pid");
      if (existsSync(held)) {
        const pid = Number(readFileSync(held, "utf8"));
        process.kill(pid, "SIGTERM");
        await until("the agent's loop ended", async () => {
          try {
            process.kill(pid, 0);
            return false;
          } catch {
            return true;
          }
        });
      }
      await machine.close();
    });
  }

  async function stopAgent(machine: TestSshd, target: string): Promise<void> {
    const pid = Number(readFileSync(join(machine.home, ".nexus-agent/keep-running.pid"), "utf8"));
    process.kill(pid, "SIGTERM");
    await until(
      "its agent is away",
      async () => (await nexus.call("targets.get", { target })).state !== "connected",
    );
  }

  const add = (machine: Machine, ...rest: string[]) =>
    nexus.cli([
      "targets",
      "add",
      `${machine.user}@${machine.host}:${machine.port}`,
      "--no-config",
      ...["--identity", machine.keyFile, "--allow-root", ...rest],
      ...(rest.includes("--agentless") ? [] : ["--gpus", "sim:2x80GiB"]),
    ]);

  it("[E41] one command makes a target of a machine without Node, again is harmless, and gives it back whole", async () => {
    const machine = await startMachine(nexus);
    endWith(machine);
    const print = fingerprintOf(machine.hostKey);

    const refused = await ended(add(machine, "--name", "gpu1"));
    expect(refused).toContain(`Nobody has confirmed the host key of [127.0.0.1]:${machine.port}`);
    expect(refused).toContain(print);

    const first = await ended(add(machine, "--name", "gpu1", "--accept-host-key", print, "--keep-key"));
    expect(first).toContain("✓ gpu1 is connected.");
    expect(first).toContain("It has no Node: one is brought along.");
    expect(first).toMatch(/Copied Node .* checksums agree/);
    expect(first).toContain("a loop of the shell");
    expect(first).not.toMatch(/nxe1_|PRIVATE KEY/);
    const job = await nexus.submit({ command: ["sh", "-c", "echo it ran"], gpus: 1, target: "gpu1" });
    expect((await nexus.ended(job.id)).state).toBe("succeeded");
    expect(String(await nexus.log(job.id))).toBe("it ran\n");

    const again = await ended(add(machine, "--name", "gpu1", "--keep-key"));
    expect(again).toContain("✓ gpu1 is connected.");
    for (const words of [
      "agent 0.1.0 is there already",
      "Node 24",
      "It is gpu1",
      "runs the same agent already",
      "lets Nexus in already",
    ])
      expect(again).toContain(words);
    expect((await nexus.call("fleet.list", undefined)).targets).toHaveLength(1);

    // Whoever has the database has no key: it is sealed, and no answer holds it.
    const audit = JSON.stringify(await nexus.call("audit.list", { limit: 500 }));
    expect(audit).toContain("ssh_host_key.confirmed");
    expect(audit).not.toContain("PRIVATE KEY");

    // Without the person's key: the one that was made for the machine lets in.
    const removed = await ended(nexus.cli(["targets", "remove", "gpu1", "--uninstall", "--yes"]));
    expect(removed).toContain("Nothing of Nexus is left on it.");
    expect((await nexus.call("fleet.list", undefined)).targets).toEqual([]);
    expect(existsSync(join(machine.home, ".nexus-agent"))).toBe(false);
    expect(readFileSync(join(machine.home, ".ssh/authorized_keys"), "utf8")).toBe("");
    // Again, by its address, since it is no target any more.
    const address = `${machine.user}@${machine.host}:${machine.port}`;
    const twice = await ended(
      nexus.cli(["targets", "remove", address, "--uninstall", "--yes", "--identity", machine.keyFile]),
    );
    expect(twice).toContain("There is no agent that Nexus brought here.");
    expect(twice).toContain("Nothing of Nexus is left on it.");
  });

  it("[E43] a machine with a changed key is refused until an admin names both keys and why", async () => {
    const machine = await startMachine(nexus);
    endWith(machine);
    const old = fingerprintOf(machine.hostKey);
    const first = await ended(add(machine, "--name", "gpu2", "--accept-host-key", old));
    expect(first).toContain("✓ gpu2 is connected.");

    const other = newTestKey("other");
    writeFileSync(join(machine.folder, "host_key"), other.privateKey, { mode: 0o600 });
    const next = fingerprintOf(other.publicKey);
    // Naming the new key beforehand is no way around: that is for machines that nobody knows.
    const refused = await ended(add(machine, "--name", "gpu2", "--accept-host-key", next));
    expect(refused).toContain("is not the one that is known");
    expect(refused).toContain(next);
    expect(refused).toContain("nexus targets replace-host-key");
    const uninstall = ["targets", "remove", "gpu2", "--uninstall", "--yes", "--identity", machine.keyFile];
    expect(await ended(nexus.cli(uninstall))).toContain("is not the one that is known");
    expect(await ended(nexus.cli(["targets", "host-keys"]))).toMatch(
      new RegExp(`! refused .*${literal(next)}`),
    );

    const name = `[127.0.0.1]:${machine.port}`;
    const replace = ["targets", "replace-host-key", name, "--old", old, "--new", next, "--yes"];
    await ended(nexus.cli([...replace, "--reason", "the machine was set up anew"]));
    expect(await ended(nexus.cli(uninstall))).toContain("Nothing of Nexus is left on it.");
    const audit = await nexus.call("audit.list", { limit: 50 });
    expect(audit.map(({ action }) => action)).toEqual(
      expect.arrayContaining(["ssh_host_key.confirmed", "ssh_host_key.refused", "ssh_host_key.replaced"]),
    );
  });

  it("[E55] with its agent stopped the same machine runs jobs as a target without one, and each refusal says how", async () => {
    const machine = await startMachine(nexus);
    endWith(machine);
    const unknown = await ended(add(machine, "--name", "gpu5"));
    expect(unknown).toContain("Nobody has confirmed the host key");
    expect(unknown).toContain("--accept-host-key SHA256:");
    await ended(add(machine, "--name", "gpu5", "--accept-host-key", fingerprintOf(machine.hostKey)));
    const taken = await ended(add(machine, "--agentless", "--name", "gpu5"));
    expect(taken).toContain("The agent of gpu5 is connected, and jobs go to it. Stop it there first");
    await stopAgent(machine, "gpu5");
    const [, name = ""] = /--name (\S+)/.exec(taken) ?? [];
    const added = await ended(add(machine, "--agentless", "--name", name));
    expect(added).toContain("✓ gpu5-ssh is connected.");
    expect(added).toContain("While the control plane does not reach it, no job begins");
    const job = await nexus.submit({ command: ["sh", "-c", "echo here; exit 4"], gpus: 0, target: name });
    expect(await nexus.ended(job.id)).toMatchObject({ state: "failed", exitCode: 4 });
    expect(String(await nexus.log(job.id))).toBe("here\n");
    for (const target of [name, "gpu5"]) await nexus.call("targets.remove", { target, force: true });
  });

  it("[E57] the same target goes on without its agent, and by its agent again, and no job of either is lost or doubled", async () => {
    const machine = await startMachine(nexus);
    endWith(machine);
    const print = fingerprintOf(machine.hostKey);
    await ended(add(machine, "--name", "gpu6", "--label", "rack=7", "--accept-host-key", print));
    const before = await nexus.call("targets.get", { target: "gpu6" });

    // What its agent began may still run: it stays the agent's, with its GPU, until the agent has told its end.
    const gate = join(machine.home, "gate");
    const script = `echo begun >>'${machine.home}/starts'; while [ ! -e '${gate}' ]; do sleep 0.05; done; echo over`;
    const job = await nexus.submit({ command: ["sh", "-c", script], gpus: 1, target: "gpu6" });
    await nexus.inState(job.id, "running");
    await stopAgent(machine, "gpu6");
    const busy = await ended(add(machine, "--agentless"));
    expect(busy).toContain(`The agent of gpu6 has not told the end of ${job.id}`);
    expect(busy).toContain("--name gpu6-ssh");
    const held = await nexus.call("targets.get", { target: "gpu6" });
    expect(held).toMatchObject({ kind: "agent", jobsActive: 1 });
    writeFileSync(gate, "");
    expect(await ended(add(machine))).toContain("✓ gpu6 is connected.");
    expect((await nexus.ended(job.id)).state).toBe("succeeded");
    expect(String(await nexus.log(job.id))).toBe("over\n");
    expect(readFileSync(join(machine.home, "starts"), "utf8")).toBe("begun\n");

    // One command, without a name: the target is known by the way to it.
    await stopAgent(machine, "gpu6");
    const switched = await ended(add(machine, "--agentless"));
    expect(switched).toContain(`gpu6 (${before.id}) goes on without its agent`);
    for (const limit of [
      "While the control plane does not reach it, no job begins",
      "Jobs have no cgroup of their own",
      "GPUs other than NVIDIA's",
    ])
      expect(switched).toContain(limit);
    expect(switched).toContain("✓ gpu6 is connected.");
    const now = await nexus.call("targets.get", { target: "gpu6" });
    expect(now).toMatchObject({ id: before.id, kind: "ssh", state: "connected", labels: { rack: "7" } });
    const bare = await nexus.submit({ command: ["sh", "-c", "echo bare"], gpus: 0, target: "gpu6" });
    expect((await nexus.ended(bare.id)).state).toBe("succeeded");
    expect(String(await nexus.log(bare.id))).toBe("bare\n");

    // An agent that comes back by itself is refused, and told how it would serve again.
    const kit = join(machine.home, ".nexus-agent/kit");
    const agent = new Child([join(kit, "node"), join(kit, "nexus-agent.js"), "run", "--allow-root"], {
      env: cleanEnv({ HOME: machine.home, NEXUS_GPUS: "sim:2x80GiB" }),
    });
    await agent.says("gpu6 is served without an agent at present");
    expect(await nexus.call("targets.get", { target: "gpu6" })).toMatchObject({
      kind: "ssh",
      state: "connected",
    });
    await agent.kill("SIGTERM");

    // Back: not while something runs there without it.
    const long = await nexus.submit({ command: ["sleep", "600"], gpus: 0, target: "gpu6" });
    await nexus.inState(long.id, "running");
    expect(await ended(add(machine))).toContain(`gpu6 still has ${long.id} without an agent.`);
    await nexus.inState(long.id, "running");
    await nexus.call("jobs.cancel", { jobs: [long.id], graceMs: 0 });
    await nexus.ended(long.id);
    const back = await until("the agent serves again", async () => {
      const said = await ended(add(machine));
      return said.includes("✓ gpu6 is connected.") && said;
    });
    expect(back).toContain(`gpu6 (${before.id}) is its agent's again.`);
    const last = await nexus.submit({ command: ["sh", "-c", "echo agent"], gpus: 2, target: "gpu6" });
    expect((await nexus.ended(last.id)).state).toBe("succeeded");
    expect(await nexus.call("targets.get", { target: "gpu6" })).toMatchObject({
      id: before.id,
      kind: "agent",
    });
    const actions = (await nexus.call("audit.list", { limit: 100 })).map(({ action }) => action);
    expect(actions.filter((action) => action === "target.switched")).toHaveLength(2);
  });

  it("[E57] a machine that was added without an agent is the same target with one, and is given back with both", async () => {
    const machine = await startMachine(nexus);
    endWith(machine);
    const known = ["--accept-host-key", fingerprintOf(machine.hostKey)];
    await ended(add(machine, "--agentless", "--name", "gpu7", ...known));
    const { id } = await nexus.call("targets.get", { target: "gpu7" });
    expect(await ended(add(machine))).toContain("✓ gpu7 is connected.");
    expect(await nexus.call("targets.get", { target: "gpu7" })).toMatchObject({
      id,
      kind: "agent",
      state: "connected",
    });
    await stopAgent(machine, "gpu7");
    expect(await ended(add(machine, "--agentless"))).toContain("✓ gpu7 is connected.");

    const removed = await ended(nexus.cli(["targets", "remove", "gpu7", "--uninstall", "--yes"]));
    expect(removed).toContain("Nothing of Nexus is left on it.");
    expect(existsSync(join(machine.home, ".nexus-agent"))).toBe(false);
    expect(existsSync(join(machine.home, ".nexus"))).toBe(false);
    expect((await nexus.call("fleet.list", undefined)).targets.map(({ name }) => name)).not.toContain("gpu7");
  });

  it("[E58] giving a target without an agent back takes what its ended jobs left, and names what stays", async () => {
    const machine = await startMachine(nexus);
    endWith(machine);
    await ended(
      add(machine, "--agentless", "--name", "gpu8", "--accept-host-key", fingerprintOf(machine.hostKey)),
    );
    const attempts: string[] = [];
    for (let count = 0; count < 2; count += 1) {
      const job = await nexus.submit({
        command: ["sh", "-c", "echo $NEXUS_ATTEMPT_ID"],
        gpus: 0,
        target: "gpu8",
      });
      await nexus.ended(job.id);
      attempts.push(String(await nexus.log(job.id)).trim());
    }
    const runs = join(machine.home, ".nexus/ssh-runs");
    await until("both are forgotten there", async () => readdirSync(runs).length === 0);
    const [over, running] = attempts.map((attempt) => `${attempt}-1`);
    // As they lie there when the connection was cut before they were forgotten; this process stands in for a job's supervisor.
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const start = readFileSync(`/proc/${process.pid}/stat`, "utf8").split(") ")[1]?.split(" ")[19];
    const records = {
      [`${over}`]: "exit 0",
      [`${running}`]: `claim ${boot} ${process.pid} ${start}`,
      "a_0000000000-1": "exit 0",
    };
    for (const [id, record] of Object.entries(records)) {
      mkdirSync(join(runs, id));
      writeFileSync(join(runs, id, "record"), `${record}\n`);
    }
    const removed = await ended(nexus.cli(["targets", "remove", "gpu8", "--uninstall", "--yes"]));
    expect(removed).toContain("1 ended job left a log there, which is removed.");
    expect(removed).toContain(`A job still runs there; its folder stays: ~/.nexus/ssh-runs/${running}`);
    expect(removed).toContain("1 run of another target or control plane stays in ~/.nexus/ssh-runs.");
    expect(removed).toContain("gpu8 is given back; what stays there is named above.");
    expect(readdirSync(runs).toSorted()).toEqual([`${running}`, "a_0000000000-1"].toSorted());
    expect(existsSync(join(machine.home, ".nexus-agent"))).toBe(false);
  });

  it("[E45] of many machines each has its line, and one that is not there is nothing to the others", async () => {
    const machines = [await startMachine(nexus), await startMachine(nexus)];
    machines.forEach(endWith);
    const list = join(nexus.home, "machines");
    const lines = machines.map(({ user, port }, at) => `${user}@127.0.0.1:${port} list-${at}`);
    const bad = [`${lines[0]?.split(" ")[0]} list-8`, "bad user@host x"];
    writeFileSync(list, [...lines, "nobody@127.0.0.1:1 list-9", ...bad].join("\n"));
    const known = machines.flatMap(({ hostKey }) => ["--accept-host-key", fingerprintOf(hostKey)]);
    // The same key for both: what an inventory's machines usually have.
    for (const machine of machines)
      writeFileSync(machine.authorizedKeysFile, readFileSync(machines[0]?.authorizedKeysFile ?? ""));
    const child = nexus.cli([
      ...[
        "targets",
        "add",
        "--hosts",
        list,
        "--no-config",
        "--allow-root",
        "--gpus",
        "none",
        "--parallel",
        "2",
      ],
      ...["--identity", machines[0]?.keyFile ?? "", ...known],
    ]);
    expect(await child.exit()).toBe(1);
    expect(child.stdout).toMatch(/^MACHINE +RESULT +TARGET +WHY$/m);
    expect(child.stdout).toMatch(/127\.0\.0\.1:\d+ +✓ done +list-0$/m);
    expect(child.stdout).toMatch(/127\.0\.0\.1:\d+ +✓ done +list-1$/m);
    expect(child.stdout).toMatch(/nobody@127\.0\.0\.1:1 +✗ failed/);
    expect(child.stdout).toMatch(/machines:4 +– left out +the same machine as list-0, which counts$/m);
    expect(child.stdout).toMatch(/machines:5 +– left out +more than a destination and a name$/m);
    expect(child.stderr).toContain("2 of 5 done");
    for (const name of ["list-0", "list-1"])
      await nexus.call("targets.remove", { target: name, force: true });
  });

  it("[E62] a machine that says that it is another one takes nothing of that one over", async () => {
    const [honest, liar] = [await startMachine(nexus), await startMachine(nexus)];
    for (const machine of [honest, liar]) endWith(machine);
    const known = (machine: Machine) => ["--accept-host-key", fingerprintOf(machine.hostKey)];
    await ended(add(honest, "--name", "honest", ...known(honest)));
    const { id } = await nexus.call("targets.get", { target: "honest" });
    const wayOf = async () =>
      (await nexus.call("ssh.ways", undefined)).find(({ target }) => target.name === "honest")?.way;
    const way = await wayOf();
    // All that is no secret of the node, and a key of its own.
    const identity = JSON.parse(readFileSync(join(honest.home, ".nexus-agent/identity.json"), "utf8"));
    const forged = { ...identity, ...newKeyPair() };
    mkdirSync(join(liar.home, ".nexus-agent"), { mode: 0o700 });
    writeFileSync(join(liar.home, ".nexus-agent/identity.json"), JSON.stringify(forged), { mode: 0o600 });

    const refused = await ended(add(liar, ...known(liar)));
    expect(refused).toContain(`It says that it is ${id}, and does not hold that node's key`);
    const address = `${liar.user}@${liar.host}:${liar.port}`;
    const uninstall = ["targets", "remove", address, "--uninstall", "--yes", "--identity", liar.keyFile];
    expect(await ended(nexus.cli(uninstall))).toContain("does not hold that node's key");
    expect(await nexus.call("targets.get", { target: "honest" })).toMatchObject({ id, state: "connected" });
    expect(await wayOf()).toBe(way);

    const own = await ended(add(liar, "--name", "liar", "--replace-identity", ...known(liar)));
    expect(own).toContain("✓ liar is connected.");
    expect((await nexus.call("targets.get", { target: "honest" })).state).toBe("connected");
    for (const target of ["honest", "liar"]) await nexus.call("targets.remove", { target, force: true });
  });

  it("[E46] a machine with a running job is not given back; once it is free, it is", async () => {
    const machine = await startMachine(nexus);
    endWith(machine);
    await ended(add(machine, "--name", "gpu4", "--accept-host-key", fingerprintOf(machine.hostKey)));
    const job = await nexus.submit({ command: ["sleep", "600"], gpus: 1, target: "gpu4" });
    await nexus.inState(job.id, "running");
    const uninstall = ["targets", "remove", "gpu4", "--uninstall", "--yes", "--identity", machine.keyFile];
    expect(await ended(nexus.cli(uninstall))).toContain("gpu4 runs 1 job. Drain it first");
    expect((await nexus.job(job.id)).state).toBe("running");
    await nexus.call("jobs.cancel", { jobs: [job.id], graceMs: 0 });
    await nexus.ended(job.id);
    expect(await ended(nexus.cli(uninstall))).toContain("Nothing of Nexus is left on it.");
    expect(existsSync(join(machine.home, ".nexus-agent"))).toBe(false);
  });

  it("[E48] a home full of metacharacters executes nothing, from enrolling to giving back", async () => {
    const machine = await startMachine(nexus, { home: "a $(touch pwned) `touch pwned` 'b' ; touch pwned #" });
    endWith(machine);
    const print = fingerprintOf(machine.hostKey);
    const first = await ended(add(machine, "--name", "gpu3", "--accept-host-key", print, "--keep-key"));
    expect(first).toContain("✓ gpu3 is connected.");
    expect(existsSync(join(machine.home, ".nexus-agent/identity.json"))).toBe(true);
    const removed = await ended(nexus.cli(["targets", "remove", "gpu3", "--uninstall", "--yes"]));
    expect(removed).toContain("Nothing of Nexus is left on it.");
    const pwned = spawnSync("find", [machine.folder, "/root", "-maxdepth", "4", "-name", "pwned"], {
      encoding: "utf8",
    });
    expect(pwned.stdout).toBe("");
  });

  it("[E53] where the agent is away SSH carries a tunnel and says so, unless the machine's policy limits tunnels", async () => {
    const machine = await startMachine(nexus);
    endWith(machine);
    const print = fingerprintOf(machine.hostKey);
    const added = await ended(add(machine, "--name", "gpu4", "--accept-host-key", print, "--keep-key"));
    expect(added).toContain("✓ gpu4 is connected.");
    const service = createServer((socket) => socket.on("error", () => undefined).end("here")).listen(
      0,
      "127.0.0.1",
    );
    onTestFinished(() => void service.close());
    await once(service, "listening");
    const { port } = service.address() as AddressInfo;
    async function forwards(...args: string[]): Promise<string> {
      const command = nexus.cli(["port-forward", "gpu4", `0:${port}`, ...args]);
      await command.says("leads to");
      const socket = createConnection(Number(/:(\d+) leads/.exec(command.stdout)?.[1]), "127.0.0.1");
      expect(await text(socket)).toBe("here");
      await command.kill("SIGINT");
      return command.stderr;
    }
    expect(await forwards()).toBe("");
    expect(await forwards("--via", "ssh")).toBe("");
    const loop = Number(readFileSync(join(machine.home, ".nexus-agent/keep-running.pid"), "utf8"));
    process.kill(loop, "SIGTERM");
    await until("gpu4 is away", async () => {
      return (await nexus.call("targets.get", { target: "gpu4" })).state !== "connected";
    });
    expect(await forwards()).toMatch(/^Over SSH: gpu4 is not connected\./);
    const alone = await ended(nexus.cli(["port-forward", "gpu4", `0:${port}`, "--via", "agent"]));
    expect(alone).toContain("gpu4 is not connected.");
    const details = JSON.stringify(await nexus.call("audit.list", {}));
    for (const way of ["by its agent", "over SSH"])
      expect(details).toContain(`Port ${port} of gpu4 is reached through the control plane, ${way}.`);

    // What the machine's owner forbids its agent is not done behind its back.
    writeFileSync(join(machine.home, ".nexus-agent/policy.json"), JSON.stringify({ tunnels: false }));
    const again = await ended(add(machine, "--name", "gpu4", "--keep-key"));
    expect(again).toContain("✓ gpu4 is connected.");
    const refused = await ended(nexus.cli(["port-forward", "gpu4", `0:${port}`, "--via", "ssh"]));
    expect(refused).toContain("the policy file of gpu4 forbids tunnels");
  });
});

const literal = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&");

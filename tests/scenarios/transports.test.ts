import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fingerprintOf } from "@nexus/ssh/host-keys/public-key";
import { startTestSshd, type TestSshd } from "@nexus/ssh/testing/test-sshd";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Nexus } from "../harness/nexus.ts";

const TOKEN = { TUNNEL_SERVICE_TOKEN_ID: "nexus.access", TUNNEL_SERVICE_TOKEN_SECRET: "tunnel-secret-4711" };

/**
 * Stand-ins, since no tailnet and no Cloudflare are in reach of a test: `tailscale` says what the real one says where it is stopped;
 * `cloudflared` lets in by the service token of its environment, notes its words, and carries.
 */
function programs(folder: string, port: number): string {
  mkdirSync(folder);
  const program = (name: string, text: string) =>
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}`, { mode: 0o755 });
  program(
    "tailscale",
    `echo '{"Version":"1.86.2","TUN":true,"BackendState":"Stopped","Self":null,"Peer":null}'; exit 1\n`,
  );
  const bridge = `const s=require("net").connect(${port},"127.0.0.1");process.stdin.pipe(s).pipe(process.stdout)`;
  program(
    "cloudflared",
    `echo "$*" >>${folder}/calls
if [ "$TUNNEL_SERVICE_TOKEN_ID $TUNNEL_SERVICE_TOKEN_SECRET" != "${Object.values(TOKEN).join(" ")}" ]; then
  echo "failed to connect to origin: websocket: bad handshake" >&2; exit 1
fi
exec ${process.execPath} -e '${bridge}'
`,
  );
  return folder;
}

describe("a machine with several transports", () => {
  let nexus: Nexus;
  let machine: TestSshd;
  let folder: string;
  beforeAll(async () => {
    machine = await startTestSshd();
    folder = programs(join(machine.folder, "programs"), machine.port);
    nexus = await Nexus.start({ PATH: `${folder}:${process.env.PATH}` });
    writeFileSync(join(machine.folder, "key"), machine.userKey.privateKey, { mode: 0o600 });
  });
  afterAll(async () => {
    await nexus?.dispose();
    await machine?.close();
  });

  async function add(words: string[], env: Record<string, string> = {}) {
    const command = nexus.cli(
      [
        ...["targets", "add", ...words, "--agentless", "--allow-root"],
        ...["--identity", join(machine.folder, "key"), "--accept-host-key", fingerprintOf(machine.hostKey)],
      ],
      { env },
    );
    return { code: await command.exit(), said: `${command.stdout}${command.stderr}` };
  }
  const calls = () => readFileSync(join(folder, "calls"), "utf8");

  it("[E61] the first that works is taken, and why the others were not is told", async () => {
    const { code, said } = await add([
      ...[`${machine.user}@127.0.0.1:${machine.port}`, "--no-config", "--name", "near"],
      ...["--transport", "tailscale=%n,direct"],
    ]);
    expect([code, said]).toEqual([0, expect.stringContaining("near is connected")]);
    expect(said).toMatch(
      /tailscale near:\d+ led nowhere: Tailscale is not up on the machine that connects \(Stopped\)/,
    );
    expect(said).toMatch(/Connected: direct 127\.0\.0\.1/);
    const [way] = await nexus.call("ssh.ways", undefined);
    expect(way?.transports.map(({ transport, state }) => [transport.split(":")[0], state])).toEqual([
      ["tailscale near", "resting"],
      ["direct 127.0.0.1", "works"],
    ]);
  });

  it("[E61] by Cloudflare with a service token, also after the control plane was started anew", async () => {
    // As people have it in their ssh configuration, which ssh looks for where the system says that they live.
    const own = join(machine.folder, "person");
    mkdirSync(own);
    const words = [
      "Host far",
      `User ${machine.user}`,
      "ProxyCommand /opt/cloudflared access ssh --hostname %h",
    ];
    writeFileSync(join(own, "config"), `${words.join("\n  ")}\n`);
    writeFileSync(join(own, "ssh"), `#!/bin/sh\nPATH=\${PATH#*:} exec ssh -F ${own}/config "$@"\n`, {
      mode: 0o755,
    });
    const refused = await add([`${machine.user}@far`, "--no-config", "--transport", "cloudflare"]);
    expect([refused.code, refused.said]).toEqual([1, expect.stringContaining("bad handshake")]);
    const { code, said } = await add(["far", "--ssh"], { PATH: `${own}:${process.env.PATH}`, ...TOKEN });
    expect([code, said]).toEqual([0, expect.stringContaining("far is connected")]);
    expect(said).toContain("Connected: cloudflare far");
    expect(calls()).toContain("access ssh --hostname far");

    const job = await nexus.submit({
      command: ["sh", "-c", "echo 1; sleep 3; echo 2"],
      target: "far",
      gpus: 0,
    });
    await nexus.inState(job.id, "running");
    const before = nexus.server;
    await before.kill("SIGKILL");
    const callsBefore = calls().length;
    await nexus.startServer();
    await nexus.targetConnected("far");
    expect(calls().length).toBeGreaterThan(callsBefore);
    expect((await nexus.ended(job.id)).state).toBe("succeeded");
    expect(String(await nexus.log(job.id))).toBe("1\n2\n");

    const told = [said, calls(), JSON.stringify(await nexus.call("ssh.ways", undefined))];
    told.push(JSON.stringify(await nexus.call("audit.list", {})), before.stdout + before.stderr);
    for (const text of told) expect(text).not.toContain(TOKEN.TUNNEL_SERVICE_TOKEN_SECRET);
  });

  it("[E61] what is no transport, and transports beside jump hosts, are refused with what to write", async () => {
    const host = `${machine.user}@127.0.0.1:${machine.port}`;
    const wrong = await add([host, "--no-config", "--transport", "pigeon"]);
    expect([wrong.code, wrong.said]).toEqual([
      64,
      expect.stringContaining("pigeon is no transport. Write direct"),
    ]);
    const both = await add([host, "--no-config", "--transport", "tailscale", "--jump", "ada@bastion"]);
    expect([both.code, both.said]).toEqual([64, expect.stringContaining("through them alone")]);
  });
});

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { startBudget } from "../connect-budget.ts";
import { killTree } from "../exec/kill-tree.ts";
import { runRemote } from "../exec/run-remote.ts";
import { memoryHostKeys, replaceHostKey } from "../host-keys/host-key-store.ts";
import { createHostKeyVerifier } from "../host-keys/host-key-verifier.ts";
import { hostKeyName, parseKnownHosts } from "../host-keys/known-hosts.ts";
import { formatPublicKey } from "../host-keys/public-key.ts";
import { openSftp } from "../sftp/sftp-client.ts";
import { downloadFile, uploadFile } from "../sftp/transfer.ts";
import { METACHARACTERS } from "../testing/metacharacters.ts";
import { sshKeygen } from "../testing/ssh-keygen.ts";
import { newTestKey } from "../testing/test-keys.ts";
import { connectTo, trusting, withKey } from "../testing/test-session.ts";
import { startTestSshd, type TestSshd, type TestSshdOptions, whyNoTerminals } from "../testing/test-sshd.ts";
import { connectOpenSsh, type OpenSshOptions } from "./connect-openssh.ts";

async function sshd(options: TestSshdOptions = {}) {
  const server = await startTestSshd(options);
  onTestFinished(() => server.close());
  return server;
}

async function connect(server: TestSshd, options: Partial<OpenSshOptions> & { totalMs?: number } = {}) {
  const budget = startBudget(options.totalMs ?? 15_000);
  const session = await connectOpenSsh({
    user: server.user,
    credentials: withKey(server),
    transport: { kind: "direct", host: server.host, port: server.port },
    programs: { env: { PATH: process.env.PATH } },
    connectTimeoutMs: 10_000,
    ...options,
    verifier: options.verifier ?? (await trusting(server)),
    budget,
  }).finally(() => budget.end());
  onTestFinished(() => session.close());
  return session;
}

describe("[H36] the system's ssh behind the same interface", () => {
  test("[H36] programs, their streams and exit codes, over one connection", async () => {
    const server = await sshd();
    const session = await connect(server);
    const argv = ["sh", "-c", "read line; echo got $line; echo err >&2; exit 7"];
    const { code, stdout, stderr } = await runRemote(session, { argv }, { stdin: "it\n" });
    expect([code, String(stdout), String(stderr)]).toEqual([7, "got it\n", "err\n"]);
    expect(await runRemote(session, { argv: ["sh", "-c", "exit 255"] })).toMatchObject({ code: 255 });
    expect(server.connectionCount()).toBe(1);
  });

  test("[H36] ending a tree, files and ports", async () => {
    const server = await sshd();
    const session = await connect(server);
    const child = await session.exec({ argv: ["sh", "-c", "sleep 600 & echo on; sleep 600; wait"] });
    for await (const _ of child.stdout) break;
    const report = await killTree(session, child.mark, { graceMs: 500 });
    expect(report.seenPids.length).toBeGreaterThan(1);
    expect(report.leftPids).toEqual([]);

    const [source, target] = [join(server.folder, "a"), join(server.folder, "b")];
    writeFileSync(source, "content");
    const sftp = await openSftp(session);
    await uploadFile(sftp, { from: source, to: target });
    await downloadFile(sftp, { from: target, to: `${target}2` });
    expect(readFileSync(`${target}2`, "utf8")).toBe("content");
    sftp.end();

    const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
    await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void echo.close());
    const { port } = echo.address() as AddressInfo;
    const out = await session.forwardOut({ host: "127.0.0.1", port });
    out.end("there and back");
    expect(await text(out)).toBe("there and back");
    const forward = await session.forwardIn({
      bindHost: "127.0.0.1",
      bindPort: 0,
      to: { host: "127.0.0.1", port },
    });
    expect(forward.port).toBeGreaterThan(0);
    await forward.close();
    expect(server.connectionCount()).toBe(1);
  });

  // tidy-allow skip: an sshd of a normal user cannot give out terminals
  test.skipIf(whyNoTerminals() !== undefined)("[H36] a terminal has its size from its start", async () => {
    const session = await connect(await sshd());
    const terminal = await session.exec({ argv: ["stty", "size"], terminal: { columns: 91, rows: 27 } });
    expect(await text(terminal.stdout)).toMatch(/^27 91\r?\n$/);
    expect(() => terminal.resize({ columns: 1, rows: 1 })).toThrow(/at its start only/);
  });

  test("[H13] words arrive as they are and execute nothing", async () => {
    const server = await sshd();
    const session = await connect(server);
    for (const nasty of METACHARACTERS) {
      const { stdout } = await runRemote(session, { argv: ["printf", "%s", nasty] });
      expect(String(stdout)).toBe(nasty);
      await expect(session.forwardOut({ host: nasty, port: 1 })).rejects.toMatchObject({
        failure: "config_invalid",
      });
      await expect(connect(server, { user: nasty })).rejects.toMatchObject({ failure: "config_invalid" });
    }
    expect(existsSync(join(server.home, "pwned"))).toBe(false);
  });

  test("[H14] a cut connection makes the end of a program unknown", async () => {
    const server = await sshd();
    const session = await connect(server);
    const child = await session.exec({ argv: ["sh", "-c", "echo on; sleep 600"] });
    for await (const _ of child.stdout) break;
    server.cutAll();
    await expect(child.exited).rejects.toMatchObject({ failure: "connection_lost" });
    expect(await session.ended).toMatchObject({ failure: "connection_lost" });
    await expect(session.exec({ argv: ["true"] })).rejects.toMatchObject({ failure: "connection_lost" });
    const later = await connect(server);
    expect((await killTree(later, child.mark, { graceMs: 1000 })).seenPids.length).toBeGreaterThan(0);
  });

  test("[H36] nothing of it is left: no folder, no agent, no master", async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith("nexus-ssh-"));
    const session = await connect(await sshd());
    await session.close();
    expect(await session.ended).toBeUndefined();
    const after = readdirSync(tmpdir()).filter((name) => name.startsWith("nexus-ssh-"));
    expect(after.filter((name) => !before.includes(name))).toEqual([]);
  });

  test("[H30] a session that the server does not allow is refused as such", async () => {
    const session = await connect(await sshd({ lines: ["MaxSessions 2"] }));
    const busy = await Promise.all([1, 2].map(() => session.exec({ argv: ["cat"] })));
    for (const child of busy) {
      child.stdin.write("x");
      for await (const _ of child.stdout) break;
    }
    await expect(runRemote(session, { argv: ["true"] })).rejects.toMatchObject({
      failure: "channel_refused",
    });
  });
});

describe("[H4] host keys of the system's ssh", () => {
  test("[H4] a changed key is refused until its audited replacement, a revoked and an unknown one always", async () => {
    const server = await sshd();
    const store = memoryHostKeys();
    const old = newTestKey().publicKey;
    const verifier = await trusting({ ...server, hostKey: old }, store);
    await expect(connect(server, { verifier })).rejects.toMatchObject({ failure: "host_key_changed" });
    const name = hostKeyName(server.host, server.port);
    await replaceHostKey(store, { name, old, new: server.hostKey, by: "bob", reason: "set up anew" });
    expect((await connect(server, { verifier })).isOpen()).toBe(true);
    await replaceHostKey(store, {
      name,
      old: server.hostKey,
      new: newTestKey().publicKey,
      by: "bob",
      reason: "stolen",
    });
    await expect(connect(server, { verifier })).rejects.toMatchObject({ failure: "host_key_revoked" });
    const nobody = createHostKeyVerifier({ name, store: memoryHostKeys(), by: "x" });
    await expect(connect(server, { verifier: nobody })).rejects.toMatchObject({
      failure: "host_key_unknown",
    });
    expect(server.log().match(/Accepted publickey/g)).toHaveLength(1);
  });

  test("[H26] every hop's key is verified by its own file", async () => {
    const [server, hopServer] = [await sshd(), await sshd()];
    const jump = async (verifier = trusting(hopServer)): Promise<OpenSshOptions["transport"]> => ({
      kind: "jump",
      hops: [{ ...hopServer, credentials: withKey(hopServer), verifier: await verifier }],
      host: server.host,
      port: server.port,
    });
    const session = await connect(server, { transport: await jump() });
    expect(await runRemote(session, { argv: ["true"] })).toMatchObject({ code: 0 });
    const wrong = trusting({ ...hopServer, hostKey: newTestKey().publicKey });
    const before = server.connectionCount();
    await expect(connect(server, { transport: await jump(wrong) })).rejects.toMatchObject({
      failure: "host_key_changed",
    });
    expect(server.connectionCount()).toBe(before);
  });
});

describe("[H37] what only the system's ssh can do", () => {
  /** A certificate authority that signs a key of this test. */
  async function authority() {
    const server = await sshd();
    const file = (name: string) => join(server.folder, name);
    const ca = newTestKey("authority");
    writeFileSync(file("ca"), ca.privateKey, { mode: 0o600 });
    const sign = (name: string, ...args: string[]) => {
      const pair = newTestKey(name);
      writeFileSync(file(name), pair.privateKey, { mode: 0o600 });
      writeFileSync(file(`${name}.pub`), formatPublicKey(pair.publicKey));
      sshKeygen("-q", "-s", file("ca"), "-I", name, ...args, file(`${name}.pub`));
      return { pair, file: file(name), certificate: file(`${name}-cert.pub`) };
    };
    return { server, ca, sign, file };
  }

  test("[H37] a user's certificate lets in where no key is listed", async () => {
    const { ca, sign, file, server } = await authority();
    writeFileSync(file("ca.pub"), formatPublicKey(ca.publicKey));
    const strict = await sshd({ lines: [`TrustedUserCAKeys ${file("ca.pub")}`], authorizedKeys: "" });
    const user = sign("user", "-n", server.user);
    const credentials = { keys: [{ label: "user", text: user.pair.privateKey }] };
    await expect(connect(strict, { credentials })).rejects.toMatchObject({ failure: "auth_failed" });
    const session = await connect(strict, {
      credentials,
      identity: { certificateFiles: [user.certificate] },
    });
    expect(await runRemote(session, { argv: ["true"] })).toMatchObject({ code: 0 });
    sshKeygen("-q", "-p", "-P", "", "-N", "open sesame", "-f", user.file);
    const locked = {
      label: "user",
      text: readFileSync(user.file, "utf8"),
      certificate: readFileSync(user.certificate, "utf8"),
    };
    const opened = await connect(strict, {
      credentials: { keys: [{ ...locked, passphrase: "open sesame" }] },
    });
    expect(await runRemote(opened, { argv: ["true"] })).toMatchObject({ code: 0 });
    for (const passphrase of ["wrong", undefined]) {
      await expect(
        connect(strict, { credentials: { keys: [{ ...locked, passphrase }] } }),
      ).rejects.toMatchObject({ failure: "auth_failed" });
    }
    sshKeygen("-q", "-p", "-P", "open sesame", "-N", "", "-f", user.file);
    const byFile = await connect(strict, { credentials: {}, identity: { identityFiles: [user.file] } });
    expect(byFile.isOpen()).toBe(true);
  });

  test("[H37] a host known by its certificate authority is trusted, which ssh2 leaves to it", async () => {
    const { ca, sign } = await authority();
    const host = sign("host", "-h", "-n", "gpu1");
    const server = await sshd({ hostKey: host.pair, lines: [`HostCertificate ${host.certificate}`] });
    const verifierOf = (key: string) =>
      createHostKeyVerifier({
        name: "gpu1",
        store: memoryHostKeys(),
        by: "x",
        knownHosts: parseKnownHosts(`@cert-authority gpu* ${key}`),
      });
    const verifier = verifierOf(formatPublicKey(ca.publicKey));
    expect((await connect(server, { verifier })).isOpen()).toBe(true);
    await expect(connectTo(server, { verifier })).rejects.toThrow(/engine openssh/);
    const other = verifierOf(formatPublicKey(newTestKey().publicKey));
    await expect(connect(server, { verifier: other })).rejects.toMatchObject({ failure: "host_key_unknown" });
  });

  test("[H37] a server with post-quantum key exchange only is reached", async () => {
    const server = await sshd({ lines: ["KexAlgorithms sntrup761x25519-sha512@openssh.com"] });
    expect((await connect(server)).isOpen()).toBe(true);
  });
});

describe("[H9] reaching it", () => {
  test("[H9] a server that hangs after TCP accept costs the budget, a closed port says so", async () => {
    const server = await sshd();
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as AddressInfo;
    const hanging = { kind: "direct", host: "127.0.0.1", port } as const;
    await expect(connect(server, { transport: hanging, totalMs: 500 })).rejects.toMatchObject({
      failure: "timed_out",
    });
    const closed = { kind: "direct", host: "127.0.0.1", port: 1 } as const;
    await expect(connect(server, { transport: closed })).rejects.toMatchObject({ failure: "unreachable" });
  });

  test("[H24] a proxy command carries, and its percent signs are its own", async () => {
    const server = await sshd();
    mkdirSync(join(server.folder, "100%h"));
    const script = join(server.folder, "100%h/bridge.cjs");
    writeFileSync(
      script,
      "const s=require('net').connect(process.argv[2],'127.0.0.1');process.stdin.pipe(s).pipe(process.stdout)",
    );
    const command = `${process.execPath} '${script}' ${server.port}`;
    const session = await connect(server, { transport: { kind: "proxy_command", command } });
    expect(await runRemote(session, { argv: ["true"] })).toMatchObject({ code: 0 });
  });
});

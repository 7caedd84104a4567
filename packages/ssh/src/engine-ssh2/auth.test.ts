import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, onTestFinished, test } from "vitest";
import { fingerprintOf, formatPublicKey } from "../host-keys/public-key.ts";
import { sshKeygen } from "../testing/ssh-keygen.ts";
import { newTestKey } from "../testing/test-keys.ts";
import { connectTo, withKey } from "../testing/test-session.ts";
import { startTestSshd, type TestSshdOptions, whyNoPasswords } from "../testing/test-sshd.ts";

async function sshd(options: TestSshdOptions = {}) {
  const server = await startTestSshd(options);
  onTestFinished(() => server.close());
  return server;
}

const noPasswords = whyNoPasswords();

/** A real ssh-agent with these keys. */
async function startAgent(...privateKeys: string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "nexus-agent-"));
  const socket = join(folder, "s");
  const agent: ChildProcess = spawn("ssh-agent", ["-D", "-a", socket], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(() => {
    agent.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  if (agent.stdout === null) throw new Error("no stdout");
  for await (const _ of createInterface({ input: agent.stdout })) break;
  for (const key of privateKeys) {
    const add = spawn("ssh-add", ["-q", "-"], {
      env: { ...process.env, SSH_AUTH_SOCK: socket },
      stdio: ["pipe", "ignore", "inherit"],
    });
    add.stdin.end(key);
    await new Promise((resolve) => add.once("exit", resolve));
  }
  return socket;
}

const other = () => ({ label: "other", text: newTestKey().privateKey });

test("[H8] a key lets in, and the session says which", async () => {
  const server = await sshd();
  const session = await connectTo(server);
  expect(session.facts.acceptedBy).toBe(`key ${fingerprintOf(server.userKey.publicKey)} (the user's key)`);
});

test.each(["rsa", "ecdsa"])("[H8] a %s key of ssh-keygen, locked by a passphrase, lets in", async (type) => {
  const folder = mkdtempSync(join(tmpdir(), "nexus-key-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "key");
  sshKeygen("-q", "-t", type, "-N", "open sesame", "-f", file);
  const text = readFileSync(file, "utf8");
  const server = await sshd({ authorizedKeys: readFileSync(`${file}.pub`, "utf8") });
  const session = await connectTo(server, {
    credentials: { keys: [{ label: file, text, passphrase: "open sesame" }] },
  });
  expect(session.facts.acceptedBy).toContain(file);
  const shut = {
    keys: [
      { label: file, text },
      { label: file, text, passphrase: "wrong" },
    ],
  };
  await expect(connectTo(server, { credentials: shut })).rejects.toThrow(
    /locked and no passphrase was given[\s\S]*passphrase does not open it/,
  );
});

test("[H8] an agent lets in after the keys, one attempt for each of its keys", async () => {
  const server = await sshd();
  const wrong = newTestKey();
  const agentSocket = await startAgent(wrong.privateKey, server.userKey.privateKey);
  const session = await connectTo(server, { credentials: { keys: [other()], agentSocket } });
  expect(session.facts.acceptedBy).toBe(`key ${fingerprintOf(server.userKey.publicKey)} (agent)`);
  const chosen = { agentSocket, agentKeys: [fingerprintOf(wrong.publicKey)] };
  await expect(connectTo(server, { credentials: chosen })).rejects.toThrow(
    `key ${fingerprintOf(wrong.publicKey)} (agent): refused by the server`,
  );
});

test("[H8] when nothing works every way is explained in its order", async () => {
  const server = await sshd();
  const agentKey = newTestKey();
  const agentSocket = await startAgent(agentKey.privateKey);
  const first = other();
  const garbage = { label: "garbage", text: "not a key" };
  const failing = connectTo(server, {
    credentials: { keys: [first, garbage], agentSocket, password: "x", answer: async () => ["x"] },
  });
  const error = await failing.catch((caught: Error & { failure?: string }) => caught);
  expect(error).toMatchObject({ failure: "auth_failed" });
  const lines = error instanceof Error ? error.message.split("\n").slice(1) : [];
  expect(lines).toEqual([
    expect.stringMatching(/^ {2}key SHA256:.* \(other\): refused by the server$/),
    "  key garbage: not tried: it cannot be read as a private key",
    `  key ${fingerprintOf(agentKey.publicKey)} (agent): refused by the server`,
    "  password: not offered by the server (it offers publickey)",
    "  questions of the server: not offered by the server (it offers publickey)",
  ]);
});

test("[H8] an agent that is not there is one failed way, not the end", async () => {
  const server = await sshd();
  const credentials = { agentSocket: "/nonexistent/agent.sock" };
  await expect(connectTo(server, { credentials })).rejects.toThrow(
    /agent \/nonexistent\/agent.sock: not tried/,
  );
  const session = await connectTo(server, { credentials: { ...credentials, ...withKey(server) } });
  expect(session.isOpen()).toBe(true);
});

test("[H8] a server that cuts the line after too many keys is explained by the keys tried", async () => {
  const server = await sshd({ lines: ["MaxAuthTries 2"] });
  const credentials = { keys: [other(), other(), other(), ...(withKey(server).keys ?? [])] };
  await expect(connectTo(server, { credentials })).rejects.toThrow(/Too many authentication failures/);
});

test("[H8] nothing to log in with is said so", async () => {
  const server = await sshd();
  await expect(connectTo(server, { credentials: {} })).rejects.toThrow(/nothing to log in .* with/);
});

// tidy-allow skip: a password needs a private copy of the shadow file, which only root can mount
describe.skipIf(noPasswords !== undefined)(`passwords${noPasswords ? ` (${noPasswords})` : ""}`, () => {
  test("[H8] a password lets in, a wrong one is refused", async () => {
    const server = await sshd({ password: "s3cret ' $" });
    const session = await connectTo(server, { credentials: { keys: [other()], password: "s3cret ' $" } });
    expect(session.facts.acceptedBy).toBe("password");
    await expect(connectTo(server, { credentials: { password: "wrong" } })).rejects.toThrow(
      /password: refused by the server/,
    );
  });

  test("[H8] questions of the server are put to the person, or answered by the given password", async () => {
    const server = await sshd({ password: "s3cret", pam: true });
    const asked: string[] = [];
    const session = await connectTo(server, {
      credentials: {
        async answer({ prompts }) {
          asked.push(...prompts.map((prompt) => `${prompt.text}${prompt.isEchoed}`));
          return ["s3cret"];
        },
      },
    });
    expect(session.facts.acceptedBy).toBe("questions of the server");
    expect(asked).toEqual([expect.stringMatching(/Password: false$/)]);
    const byPassword = await connectTo(server, { credentials: { password: "s3cret" } });
    expect(byPassword.facts.acceptedBy).toBe("questions of the server");
  });

  test("[H8] a server that wants a key and a password gets both", async () => {
    const server = await sshd({ password: "s3cret", lines: ["AuthenticationMethods publickey,password"] });
    const session = await connectTo(server, { credentials: { ...withKey(server), password: "s3cret" } });
    expect(session.facts.acceptedBy).toBe("password");
    await expect(connectTo(server)).rejects.toThrow(/accepted, and the server wants more/);
  });
});

test("[H8] a key that the server binds to a command still logs in", async () => {
  const server = await sshd({ authorizedKeys: 'command="echo forced" KEY\n' });
  expect(formatPublicKey(server.userKey.publicKey)).toMatch(/^ssh-ed25519 /);
  const session = await connectTo(server);
  expect(session.isOpen()).toBe(true);
});

import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { runRemote } from "../exec/run-remote.ts";
import { fingerprintOf, formatPublicKey } from "../host-keys/public-key.ts";
import { METACHARACTERS } from "../testing/metacharacters.ts";
import { sshKeygen } from "../testing/ssh-keygen.ts";
import { newTestKey } from "../testing/test-keys.ts";
import { connectTo } from "../testing/test-session.ts";
import { startTestSshd } from "../testing/test-sshd.ts";
import { formatAuthorizedKey, installKey, revokeKey } from "./authorized-keys.ts";
import { findKeys } from "./find-keys.ts";
import { sealKey, unsealKey } from "./seal-key.ts";

async function setup() {
  const server = await startTestSshd();
  onTestFinished(() => server.close());
  const session = await connectTo(server);
  const file = join(server.home, ".ssh/authorized_keys");
  const by = (privateKey: string) => ({ credentials: { keys: [{ label: "new", text: privateKey }] } });
  return { server, session, file, read: () => readFileSync(file, "utf8"), by };
}

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

test("[H41] an installed key lets in, with the modes sshd wants, and is there once", async () => {
  const { server, session, file, read, by } = await setup();
  const pair = newTestKey();
  expect(await installKey(session, { key: pair.publicKey, comment: "nexus gpu1" })).toBe(true);
  expect(await installKey(session, { key: pair.publicKey, comment: "nexus gpu1" })).toBe(false);
  expect(read()).toBe(`${formatPublicKey(pair.publicKey, "nexus gpu1")}\n`);
  expect([mode(join(server.home, ".ssh")), mode(file)]).toEqual(["700", "600"]);
  expect((await connectTo(server, by(pair.privateKey))).facts.acceptedBy).toMatch(/\(new\)/);
});

test("[H41] other lines stay, also a last one without its newline, and wrong modes are mended", async () => {
  const { server, session, file, read } = await setup();
  const [pair, other] = [newTestKey(), newTestKey()];
  mkdirSync(join(server.home, ".ssh"), { mode: 0o777 });
  const before = `# ${pair.publicKey.base64} in a comment\ncommand="a \\"b c\\"",restrict ${formatPublicKey(other.publicKey)}`;
  writeFileSync(file, before, { mode: 0o666 });
  await installKey(session, { key: pair.publicKey, comment: "" });
  expect(read()).toBe(`${before}\n${formatPublicKey(pair.publicKey)}\n`);
  expect([mode(join(server.home, ".ssh")), mode(file)]).toEqual(["700", "600"]);
  expect(await revokeKey(session, pair.publicKey)).toBe(true);
  expect(await revokeKey(session, pair.publicKey)).toBe(false);
  expect(read()).toBe(`${before}\n`);
});

test("[H41] ten installations at once lose no line", async () => {
  const { session, read } = await setup();
  const pairs = Array.from({ length: 8 }, () => newTestKey());
  await Promise.all(pairs.map(({ publicKey }) => installKey(session, { key: publicKey, comment: "" })));
  const lines = read().trim().split("\n").sort();
  expect(lines).toEqual(pairs.map(({ publicKey }) => formatPublicKey(publicKey)).sort());
});

test("[H41] a file that is a link stays one", async () => {
  const { server, session, file, read } = await setup();
  mkdirSync(join(server.home, ".ssh"));
  writeFileSync(join(server.home, "elsewhere"), "");
  symlinkSync("../elsewhere", file);
  const { publicKey } = newTestKey();
  await installKey(session, { key: publicKey, comment: "" });
  expect(readFileSync(join(server.home, "elsewhere"), "utf8")).toBe(read());
});

test("[H42] a restricted key runs its command only, and options replace those it had", async () => {
  const { server, session, read, by } = await setup();
  const pair = newTestKey();
  await installKey(session, { key: pair.publicKey, comment: "" });
  const restrict = { command: 'echo "only this"', from: ["127.0.0.1"] };
  await installKey(session, { key: pair.publicKey, comment: "", restrict });
  expect(read().trim().split("\n")).toHaveLength(1);
  const restricted = await connectTo(server, by(pair.privateKey));
  expect(String((await runRemote(restricted, { argv: ["id"] })).stdout)).toBe("only this\n");
  await expect(restricted.exec({ argv: ["sh"], terminal: { columns: 80, rows: 24 } })).rejects.toMatchObject({
    failure: "remote_refused",
  });
});

test("[H42] a key that leads on leads to the places that are named, and to no other", async () => {
  const { server, session, by } = await setup();
  const pair = newTestKey();
  const services = await Promise.all(["named", "other"].map(startSpeaker));
  const [named = 0, other = 0] = services;
  const restrict = {
    allow: ["port-forwarding"],
    permitOpen: [`127.0.0.1:${named}`],
    command: "echo no",
  } as const;
  await installKey(session, { key: pair.publicKey, comment: "", restrict });
  const leading = await connectTo(server, by(pair.privateKey));
  const way = await leading.forwardOut({ host: "127.0.0.1", port: named });
  expect(await text(way)).toBe("named");
  await expect(leading.forwardOut({ host: "127.0.0.1", port: other })).rejects.toThrow();
  expect(() =>
    formatAuthorizedKey({ key: pair.publicKey, comment: "", restrict: { permitOpen: ['a"b:1'] } }),
  ).toThrow(/no address/);
});

/** Says its name to whoever connects. */
async function startSpeaker(name: string): Promise<number> {
  const server = createServer((socket) => void socket.end(name)).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test("[H13] comments and bound commands add no line and no option", async () => {
  const { session, read } = await setup();
  const { publicKey } = newTestKey();
  for (const nasty of METACHARACTERS) {
    if (/[\r\n]/.test(nasty)) {
      expect(() => formatAuthorizedKey({ key: publicKey, comment: nasty })).toThrow(/one line/);
      continue;
    }
    await installKey(session, { key: publicKey, comment: nasty, restrict: { command: nasty } });
    expect(read().split("\n")).toHaveLength(2);
    expect(read()).toContain(nasty.trim());
  }
  expect(() =>
    formatAuthorizedKey({ key: publicKey, comment: "", restrict: { from: ['x" ,command="y'] } }),
  ).toThrow(/no address/);
  expect(() => formatAuthorizedKey({ key: { type: "x y", base64: "z" }, comment: "" })).toThrow(
    /no public key/,
  );
});

test("[H43] a sealed key opens with its own key and for its own name only", () => {
  const { privateKey } = newTestKey();
  const sealing = { key: Buffer.alloc(32, 1), for: "node gpu1" };
  const sealed = sealKey(privateKey, sealing);
  expect(unsealKey(sealed, sealing)).toBe(privateKey);
  expect(sealed).not.toContain(privateKey.split("\n")[1]);
  expect(sealKey(privateKey, sealing)).not.toBe(sealed);
  const changed = `${sealed.slice(0, -3)}AAA`;
  for (const [text, other] of [
    [sealed, { ...sealing, key: Buffer.alloc(32, 2) }],
    [sealed, { ...sealing, for: "node gpu2" }],
    [changed, sealing],
    [privateKey, sealing],
  ] as const) {
    expect(() => unsealKey(text, other)).toThrow(expect.objectContaining({ code: "internal" }));
  }
});

test("[H43] keys of a folder are found under any name, and told without their text", async () => {
  const folder = mkdtempSync(join(tmpdir(), "nexus-keys-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  expect(await findKeys(join(folder, "none"))).toEqual([]);
  const plain = newTestKey();
  writeFileSync(join(folder, "work"), plain.privateKey, { mode: 0o600 });
  sshKeygen("-q", "-t", "ecdsa", "-N", "secret", "-f", join(folder, "id_ecdsa"));
  writeFileSync(join(folder, "open"), newTestKey().privateKey);
  chmodSync(join(folder, "open"), 0o644);
  writeFileSync(join(folder, "known_hosts"), "x");
  mkdirSync(join(folder, "d"));
  const found = await findKeys(folder);
  expect(found.map(({ path, problem }) => [path.slice(folder.length + 1), problem])).toEqual([
    ["id_ecdsa", "it is locked and no passphrase was given"],
    ["open", expect.stringMatching(/chmod 600/)],
    ["work", undefined],
  ]);
  expect(found[0]?.publicKey?.type).toBe("ecdsa-sha2-nistp256");
  expect(found[2]?.publicKey && fingerprintOf(found[2].publicKey)).toBe(fingerprintOf(plain.publicKey));
  expect(JSON.stringify(found)).not.toMatch(/PRIVATE KEY/);
});

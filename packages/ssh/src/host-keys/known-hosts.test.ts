import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { matchesPattern } from "../match-pattern.ts";
import { sshKeygen } from "../testing/ssh-keygen.ts";
import { newTestKey } from "../testing/test-keys.ts";
import { formatKnownHostsLine, hostKeyName, knownOfHost, parseKnownHosts } from "./known-hosts.ts";
import { fingerprintOf, formatPublicKey, parsePublicKey } from "./public-key.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nexus-known-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const KEYS = Array.from({ length: 8 }, () => newTestKey().publicKey);
const key = (index: number) => formatPublicKey(KEYS[index] ?? newTestKey().publicKey);

/** Every line shape that people have in their files, each with its own key. */
function corpus(): string {
  const hashed = join(folder, "hashed");
  writeFileSync(hashed, `hashed.example ${key(0)}\n[hashed.example]:2222 ${key(1)}\n`);
  sshKeygen("-q", "-H", "-f", hashed);
  return [
    "# a comment",
    "",
    readFileSync(hashed, "utf8").trimEnd(),
    `*.wild.example,!bad.wild.example ${key(2)} a comment`,
    `plain.example,192.0.2.7 ${key(3)}`,
    `\t[ported.example]:2200   ${key(4)}`,
    `h?st.example ${key(5)}`,
    `@revoked plain.example ${key(6)}`,
    `@cert-authority *.authority.example ${key(7)}`,
    "broken.example ssh-ed25519 AAAA",
  ].join("\n");
}

describe("[H2] known_hosts is read as OpenSSH reads it", () => {
  const names: [string, number][] = [
    ["hashed.example", 22],
    ["hashed.example", 2222],
    ["a.wild.example", 22],
    ["bad.wild.example", 22],
    ["A.Wild.Example", 22],
    ["plain.example", 22],
    ["192.0.2.7", 22],
    ["ported.example", 2200],
    ["ported.example", 22],
    ["host.example", 22],
    ["hoost.example", 22],
    ["x.authority.example", 22],
    ["unknown.example", 22],
  ];

  test.each(names)("[H2] %s at port %i has the keys that ssh-keygen finds", (host, port) => {
    const file = join(folder, "corpus");
    const text = corpus();
    writeFileSync(file, text);
    const name = hostKeyName(host, port);
    const theirs = parseKnownHosts(sshKeygen("-F", name, "-f", file));
    const wanted = (marker: string) =>
      theirs.entries.filter((entry) => entry.marker === marker).map((entry) => fingerprintOf(entry.key));
    const ours = knownOfHost(parseKnownHosts(text), name);
    expect(ours.keys.map(fingerprintOf)).toEqual(wanted("plain"));
    expect(ours.revoked.map(fingerprintOf)).toEqual(wanted("revoked"));
    expect(ours.authorities.map(fingerprintOf)).toEqual(wanted("authority"));
  });

  test("[H2] a line that is not understood is named, the others stand", () => {
    const known = parseKnownHosts(`@trusted a ${key(0)}\nb nonsense\nc ${key(1)}\r\n`);
    expect(known.problems).toEqual([
      { line: 1, message: "unknown marker @trusted" },
      { line: 2, message: "not a host and a public key" },
    ]);
    expect(known.entries).toMatchObject([{ hosts: "c", line: 3 }]);
  });

  test("[H2] at another port a key known for the bare name counts where none is known for the port", () => {
    const known = parseKnownHosts(`a ${key(0)}\n[a]:23 ${key(1)}`);
    expect(knownOfHost(known, "[a]:24").keys).toEqual([KEYS[0]]);
    expect(knownOfHost(known, "[a]:23").keys).toEqual([KEYS[1]]);
  });
});

test("[H2] a fingerprint is the one ssh-keygen shows", () => {
  const { publicKey } = newTestKey();
  const file = join(folder, "key.pub");
  writeFileSync(file, formatPublicKey(publicKey));
  const shown = sshKeygen("-lf", file);
  expect(shown.split(" ")[1]).toBe(fingerprintOf(publicKey));
});

test.each(["", "ssh-ed25519", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA", "ssh-ed25519 AAAAC3Nz", "x y z"])(
  "[H2] %j is no public key",
  (text) => {
    expect(parsePublicKey(text)).toBeUndefined();
  },
);

test.each(["a b", "a\nb", "a,b", "*", "!a", "|1|a", "", "@revoked", "a#"])(
  "[H2] %j cannot become the name of a line that we write",
  (name) => {
    expect(() => formatKnownHostsLine(name, newTestKey().publicKey)).toThrow(/name of one host/);
  },
);

test("[H2] patterns agree with their meaning as a regular expression", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 8 });
  const pattern = fc.string({ unit: fc.constantFrom("a", "b", ".", "*", "?"), maxLength: 8 });
  fc.assert(
    fc.property(word, pattern, (text, glob) => {
      const source = glob.replaceAll(".", "\\.").replaceAll("*", ".*").replaceAll("?", ".");
      expect(matchesPattern(text, glob)).toBe(new RegExp(`^${source}$`).test(text));
    }),
  );
});

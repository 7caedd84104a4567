import { expect, test } from "vitest";
import { newTestKey } from "../testing/test-keys.ts";
import { memoryHostKeys, replaceHostKey } from "./host-key-store.ts";
import { assertVerifier, createHostKeyVerifier, type HostKeyVerifier } from "./host-key-verifier.ts";
import { parseKnownHosts } from "./known-hosts.ts";
import { fingerprintOf, formatPublicKey, type PublicKey } from "./public-key.ts";

const [first, second, third] = [
  newTestKey().publicKey,
  newTestKey().publicKey,
  newTestKey().publicKey,
] as const;
const line = (key: PublicKey, prefix = "") => `${prefix}gpu1 ${formatPublicKey(key)}\n`;

function setup(knownHosts = "") {
  const store = memoryHostKeys();
  const asked: string[] = [];
  let answer = true;
  const verifier = createHostKeyVerifier({
    name: "gpu1",
    store,
    by: "alice",
    knownHosts: parseKnownHosts(knownHosts),
    async confirm(question) {
      asked.push(question.fingerprint);
      return answer;
    },
  });
  return { store, verifier, asked, decline: () => (answer = false) };
}

test("[H1] what was not made by createHostKeyVerifier is no verifier", () => {
  const acceptsAll: HostKeyVerifier = {
    name: "any",
    verify: async () => undefined,
    learn: async () => undefined,
    trustedTypes: async () => [],
    knownHostsText: async () => "",
  };
  expect(() => assertVerifier(acceptsAll)).toThrow(/createHostKeyVerifier/);
  expect(() => assertVerifier({ ...setup().verifier })).toThrow(/createHostKeyVerifier/);
  expect(() => assertVerifier(setup().verifier)).not.toThrow();
});

test("[H3] a key revoked in known_hosts is refused even where it is pinned", async () => {
  const { store, verifier } = setup();
  await verifier.verify(first);
  const strict = createHostKeyVerifier({
    name: "gpu1",
    store,
    by: "alice",
    knownHosts: parseKnownHosts(line(first, "@revoked ")),
  });
  await expect(strict.verify(first)).rejects.toMatchObject({ failure: "host_key_revoked" });
});

test("[H3] our own store decides before known_hosts", async () => {
  const { store, verifier } = setup();
  await verifier.verify(first);
  const other = createHostKeyVerifier({
    name: "gpu1",
    store,
    by: "alice",
    knownHosts: parseKnownHosts(line(second)),
  });
  await expect(other.verify(second)).rejects.toMatchObject({ failure: "host_key_changed" });
  await other.verify(first);
});

test("[H3] a key of known_hosts is adopted without a question and recorded", async () => {
  const { store, verifier, asked } = setup(line(first));
  await verifier.verify(first);
  expect(asked).toEqual([]);
  expect(store.changes).toMatchObject([{ kind: "adopt", by: "alice", after: { pinned: [first] } }]);
});

test("[H3] a host that known_hosts knows by another key is never asked about", async () => {
  const { verifier, asked } = setup(line(first));
  await expect(verifier.verify(second)).rejects.toThrow(fingerprintOf(first));
  expect(asked).toEqual([]);
});

test("[H3] an unknown host is asked about once, with its fingerprint", async () => {
  const { verifier, asked } = setup();
  await verifier.verify(first);
  await verifier.verify(first);
  expect(asked).toEqual([fingerprintOf(first)]);
});

test("[H3] an unknown host is refused when the answer is no, and where nobody can be asked", async () => {
  const { store, verifier, decline } = setup();
  decline();
  await expect(verifier.verify(first)).rejects.toMatchObject({ failure: "host_key_unknown" });
  const silent = createHostKeyVerifier({ name: "gpu1", store, by: "alice" });
  await expect(silent.verify(first)).rejects.toThrow(fingerprintOf(first));
  expect(store.changes).toEqual([]);
});

test("[H3] of two first connections at once, the second follows what the first stored", async () => {
  const { verifier, store } = setup();
  await Promise.all([verifier.verify(first), verifier.verify(first)]);
  expect(store.changes).toHaveLength(1);
  const other = setup();
  const outcomes = await Promise.allSettled([other.verifier.verify(first), other.verifier.verify(second)]);
  expect(outcomes.map((one) => one.status).sort()).toEqual(["fulfilled", "rejected"]);
});

test("[H4] a changed key is accepted after its audited replacement, and the old one never again", async () => {
  const { store, verifier } = setup();
  await verifier.verify(first);
  await expect(verifier.verify(second)).rejects.toMatchObject({ failure: "host_key_changed" });
  const replacement = { name: "gpu1", old: first, new: second, by: "bob", reason: "disk replaced" };
  await expect(replaceHostKey(store, { ...replacement, reason: " " })).rejects.toMatchObject({
    code: "bad_request",
  });
  await expect(replaceHostKey(store, { ...replacement, old: third })).rejects.toMatchObject({
    code: "conflict",
  });
  await replaceHostKey(store, replacement);
  await verifier.verify(second);
  await expect(verifier.verify(first)).rejects.toMatchObject({ failure: "host_key_revoked" });
  await expect(replaceHostKey(store, { ...replacement, old: second, new: first })).rejects.toMatchObject({
    code: "forbidden",
  });
  expect(store.changes.at(-1)).toMatchObject({ kind: "replace", by: "bob", reason: "disk replaced" });
});

test("[H5] keys that the verified server proves are learnt, and those it dropped are forgotten", async () => {
  const { store, verifier } = setup();
  await verifier.verify(first);
  await verifier.learn(first, [first, second], ["ssh-ed25519"]);
  await verifier.verify(second);
  await verifier.learn(second, [second], ["ssh-ed25519"]);
  await expect(verifier.verify(first)).rejects.toMatchObject({ failure: "host_key_changed" });
  expect(store.changes.map((change) => change.kind)).toEqual(["confirm", "rotate", "rotate"]);
});

test("[H5] nothing is learnt from an announcement without the key in use, of an unpinned key, or of a revoked one", async () => {
  const { store, verifier } = setup();
  await verifier.verify(first);
  await verifier.learn(first, [second], ["ssh-ed25519"]);
  await verifier.learn(third, [second, third], ["ssh-ed25519"]);
  await replaceHostKey(store, { name: "gpu1", old: first, new: second, by: "bob", reason: "new disk" });
  await verifier.learn(second, [second, first], ["ssh-ed25519"]);
  await expect(verifier.verify(first)).rejects.toMatchObject({ failure: "host_key_revoked" });
  await expect(verifier.verify(third)).rejects.toMatchObject({ failure: "host_key_changed" });
});

test("[H5] keys of a type that this client cannot prove are kept", async () => {
  const { store, verifier } = setup();
  await verifier.verify(first);
  await verifier.learn(first, [first, second], ["ssh-ed25519"]);
  await verifier.learn(first, [first], ["ecdsa-sha2-nistp256"]);
  expect((await store.read("gpu1")).pinned).toEqual([first, second]);
});

test("[H6] a host known by a certificate authority only is asked about by its own key, or refused with both ways on", async () => {
  const known = line(first, "@cert-authority ");
  const nobody = setup(known);
  nobody.decline();
  await expect(nobody.verifier.verify(second)).rejects.toThrow(/confirm this key, or use the engine openssh/);
  expect(await nobody.verifier.knownHostsText()).toBe(known);
  const { verifier, asked, store } = setup(known);
  await verifier.verify(second);
  expect(asked).toEqual([fingerprintOf(second)]);
  expect((await store.read("gpu1")).pinned).toEqual([second]);
});

test("[H3] the system's ssh gets the same trust: pinned keys alone, and what is revoked", async () => {
  const { store, verifier } = setup(
    line(third, "@cert-authority ") + line(second, "@revoked ") + line(first),
  );
  expect(await verifier.knownHostsText()).toBe(
    line(second, "@revoked ") + line(first) + line(third, "@cert-authority "),
  );
  await verifier.verify(first);
  expect(await verifier.knownHostsText()).toBe(line(second, "@revoked ") + line(first));
  await replaceHostKey(store, { name: "gpu1", old: first, new: third, by: "bob", reason: "new disk" });
  expect(await verifier.knownHostsText()).toBe(
    line(first, "@revoked ") + line(second, "@revoked ") + line(third),
  );
});

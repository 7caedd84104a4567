import { onTestFinished } from "vitest";
import type { Credentials } from "../auth/credentials.ts";
import { startBudget } from "../connect-budget.ts";
import { connectSsh2, type Ssh2Options } from "../engine-ssh2/connect-ssh2.ts";
import { type HostKeyStore, memoryHostKeys } from "../host-keys/host-key-store.ts";
import { createHostKeyVerifier, type HostKeyVerifier } from "../host-keys/host-key-verifier.ts";
import { hostKeyName } from "../host-keys/known-hosts.ts";
import type { PublicKey } from "../host-keys/public-key.ts";
import type { SshSession } from "../session.ts";
import { openTcp } from "../transports/open-tcp.ts";
import type { TestSshd } from "./test-sshd.ts";

/** A verifier that knows exactly this key. */
export async function trusting(
  server: { host: string; port: number; hostKey: PublicKey },
  store: HostKeyStore = memoryHostKeys(),
): Promise<HostKeyVerifier> {
  const name = hostKeyName(server.host, server.port);
  const before = await store.read(name);
  const after = { pinned: [server.hostKey], revoked: before.revoked };
  await store.write({ name, kind: "confirm", before, after, by: "test", reason: "made by the test" });
  return createHostKeyVerifier({ name, store, by: "test" });
}

export function withKey(server: TestSshd): Credentials {
  return { keys: [{ label: "the user's key", text: server.userKey.privateKey }] };
}

/** A session over the engine ssh2 that ends with the test. */
export async function connectTo(
  server: TestSshd,
  options: Partial<Ssh2Options> & { totalMs?: number } = {},
): Promise<SshSession> {
  const budget = startBudget(options.totalMs ?? 10_000);
  const carrier = await openTcp(server.host, server.port, budget.signal);
  const verifier = options.verifier ?? (await trusting(server));
  const session = await connectSsh2(carrier, {
    user: server.user,
    credentials: withKey(server),
    ...options,
    verifier,
    budget,
  }).finally(() => budget.end());
  onTestFinished(() => session.close());
  return session;
}

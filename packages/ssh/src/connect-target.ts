import type { Credentials } from "./auth/credentials.ts";
import { checkHost, checkPort } from "./config/host-settings.ts";
import { startBudget } from "./connect-budget.ts";
import { connectOpenSsh, type SystemIdentity } from "./engine-openssh/connect-openssh.ts";
import { connectSsh2 } from "./engine-ssh2/connect-ssh2.ts";
import { assertVerifier, type HostKeyVerifier } from "./host-keys/host-key-verifier.ts";
import type { SshSession } from "./session.ts";
import { mayFallThrough, SshError } from "./ssh-error.ts";
import { openTransport } from "./transports/open-transport.ts";
import {
  describeTransport,
  type Hop,
  type Transport,
  type TransportPrograms,
} from "./transports/transport.ts";
import {
  afterFailure,
  afterRefusal,
  afterSuccess,
  chooseTransports,
  type TransportHealth,
  UNTRIED,
} from "./transports/transport-health.ts";

/** A machine and all that is needed to reach it. */
export type SshTarget = {
  /** Unique among targets; pool and health go by it. */
  id: string;
  user: string;
  credentials: Credentials;
  verifier: HostKeyVerifier;
  /** In the user's order. */
  transports: readonly Transport[];
  /** `openssh` for what ssh2 cannot do: certificates, security keys, GSSAPI, post-quantum key exchange. */
  engine?: "ssh2" | "openssh";
  identity?: SystemIdentity;
  /** Weak algorithms for a machine that nobody can update. */
  legacy?: boolean;
  ciphers?: readonly string[];
  /** For each way on its own. */
  connectTimeoutMs?: number;
  keepaliveMs?: number;
};

export type ConnectedTarget = {
  session: SshSession;
  transport: string;
  /** The ways that were tried before, each with why it led nowhere. */
  failed: { transport: string; error: string }[];
};

type WayRecord = { health: TransportHealth; isBeingProbed: boolean };

export type ConnectorOptions = {
  programs: TransportPrograms;
  nowMs: () => number;
  sshPath?: string;
};

const CONNECT_TIMEOUT_MS = 10_000;
/** Those that were not tried for the longest time go first. */
const RECORDS_MAX = 10_000;

/**
 * Connects to targets over their ways, one after the other, and keeps the health of every way. Owns no connection:
 * what it opens belongs to the caller. A refused host key or log-in ends the attempt: the next way would lead to the
 * same machine, or to somebody who hopes for a second try.
 */
export function createConnector(options: ConnectorOptions) {
  const { nowMs, programs } = options;
  const records = new Map<string, WayRecord>();
  const keyOf = (target: SshTarget, way: Transport) => `${target.id}\n${describeTransport(way)}`;
  const recordOf = (target: SshTarget, way: Transport) =>
    records.get(keyOf(target, way)) ?? { health: UNTRIED, isBeingProbed: false };

  function keep(key: string, record: WayRecord): void {
    records.delete(key);
    records.set(key, record);
    for (const oldest of records.keys()) {
      if (records.size <= RECORDS_MAX) break;
      records.delete(oldest);
    }
  }

  async function connectVia(
    target: SshTarget,
    transport: Transport,
    signal?: AbortSignal,
  ): Promise<SshSession> {
    const connectTimeoutMs = target.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    const budget = startBudget(connectTimeoutMs, signal);
    try {
      if (target.engine === "openssh") {
        return await connectOpenSsh({ ...options, ...target, transport, budget, connectTimeoutMs });
      }
      const carrier = await openTransport(transport, { budget, programs });
      return await connectSsh2(carrier, { ...target, budget });
    } finally {
      budget.end();
    }
  }

  async function connect(target: SshTarget, signal?: AbortSignal): Promise<ConnectedTarget> {
    assertVerifier(target.verifier);
    if (target.transports.length === 0)
      throw new SshError("config_invalid", `No way to ${target.verifier.name} is known.`);
    const ways = chooseTransports(target.transports, (way) => recordOf(target, way), nowMs());
    const failed: ConnectedTarget["failed"] = [];
    for (const way of ways) {
      const before = recordOf(target, way).health;
      keep(keyOf(target, way), { health: before, isBeingProbed: true });
      const startedAtMs = performance.now();
      let after = before;
      try {
        const session = await connectVia(target, way, signal);
        const latencyMs = performance.now() - startedAtMs;
        after = afterSuccess(recordOf(target, way).health, { latencyMs, nowMs: nowMs() });
        return { session, transport: describeTransport(way), failed };
      } catch (error) {
        const words = error instanceof Error ? error.message : String(error);
        const failure = { error: words, nowMs: nowMs() };
        if (!mayFallThrough(error)) {
          const isRefusal = error instanceof SshError && error.failure !== "cancelled";
          if (isRefusal) after = afterRefusal(recordOf(target, way).health, failure);
          throw error;
        }
        after = afterFailure(recordOf(target, way).health, failure);
        failed.push({ transport: describeTransport(way), error: words });
        if (way === ways.at(-1) && failed.length === 1) throw error;
      } finally {
        keep(keyOf(target, way), { health: after, isBeingProbed: false });
      }
    }
    const words = failed.map(({ transport, error }) => `${transport}: ${error}`);
    throw new SshError("unreachable", `No way led to ${target.verifier.name}. ${words.join("; ")}`);
  }

  /** A machine that an open session leads to shows its key to its verifier. Nobody logs in. */
  async function meet(
    before: SshSession,
    machine: Omit<Hop, "credentials">,
    signal?: AbortSignal,
  ): Promise<void> {
    const budget = startBudget(CONNECT_TIMEOUT_MS, signal);
    try {
      const to = { host: checkHost(machine.host), port: checkPort(machine.port) };
      const carrier = { stream: await before.forwardOut(to), explain: async () => "" };
      const session = await connectSsh2(carrier, { ...machine, credentials: {}, budget });
      await session.close();
    } catch (error) {
      if (!(error instanceof SshError && error.failure === "auth_failed")) throw error;
    } finally {
      budget.end();
    }
  }

  return {
    connect,
    meet,
    /** Per way in the user's order, for status pages. */
    health: (target: SshTarget) =>
      target.transports.map((way) => ({
        transport: describeTransport(way),
        ...recordOf(target, way).health,
      })),
    /** When a target is gone. */
    forget(targetId: string) {
      for (const key of records.keys()) if (key.startsWith(`${targetId}\n`)) records.delete(key);
    },
  };
}

export type Connector = ReturnType<typeof createConnector>;

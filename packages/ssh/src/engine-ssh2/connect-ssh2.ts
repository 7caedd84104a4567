import type { Duplex } from "node:stream";
import { Client, type ParsedKey } from "ssh2";
import { type Credentials, explainAttempts } from "../auth/credentials.ts";
import type { ConnectBudget } from "../connect-budget.ts";
import { assertVerifier, type HostKeyVerifier } from "../host-keys/host-key-verifier.ts";
import { type PublicKey, publicKeyOfBlob } from "../host-keys/public-key.ts";
import type { SshSession } from "../session.ts";
import { SshError } from "../ssh-error.ts";
import { type Carrier, gatherWrites } from "../transports/carrier.ts";
import { chooseAlgorithms, PROVABLE_TYPES } from "./algorithms.ts";
import { AuthSequence } from "./auth-sequence.ts";
import { keepCipherKeys } from "./keep-cipher-keys.ts";
import { createSsh2Session } from "./ssh2-session.ts";

export type Ssh2Options = {
  user: string;
  credentials: Credentials;
  verifier: HostKeyVerifier;
  budget: ConnectBudget;
  /** Weak algorithms for a machine that nobody can update. */
  legacy?: boolean;
  ciphers?: readonly string[];
  keepaliveMs?: number;
};

/** 15 s three times: a dead peer is noticed within a minute, and NAT tables are kept warm. */
const KEEPALIVE_MS = 15_000;
const KEEPALIVES_MISSED_MAX = 3;

/**
 * Handshake, host key, log-in: over a stream that is open already. The stream belongs to the session from here on, and
 * is destroyed when anything fails. The host key is judged before any credential is used.
 */
export async function connectSsh2(carrier: Carrier, options: Ssh2Options): Promise<SshSession> {
  assertVerifier(options.verifier);
  const { user, verifier, budget } = options;
  const { stream } = carrier;
  // Between here and ssh2's own listener an error would have no one to hear it.
  const earlyFailure: { error?: Error } = {};
  const noteEarly = (error: Error) => {
    earlyFailure.error = error;
  };
  stream.on("error", noteEarly);
  try {
    const sequence = await AuthSequence.prepare(user, pausing(options.credentials, budget));
    const algorithms = chooseAlgorithms({ ...options, trustedTypes: await verifier.trustedTypes() });
    const { error } = earlyFailure;
    if (error !== undefined)
      throw await describe(carrier, { error, sequence, user, name: verifier.name, sawGreeting: false });
    budget.signal.throwIfAborted();
    gatherWrites(stream);
    return await handshake(carrier, { ...options, sequence, algorithms });
  } catch (error) {
    stream.destroy();
    throw error;
  }
}

type Prepared = Ssh2Options & { sequence: AuthSequence; algorithms: ReturnType<typeof chooseAlgorithms> };

function handshake(carrier: Carrier, prepared: Prepared): Promise<SshSession> {
  const { user, verifier, budget, sequence, algorithms } = prepared;
  const client = new Client();
  const state: HandshakeState = { sawGreeting: false };
  return new Promise((resolve, reject) => {
    let isSettled = false;
    const settle = (act: () => void) => {
      if (isSettled) return;
      isSettled = true;
      budget.signal.removeEventListener("abort", onAbort);
      act();
    };
    const onAbort = () => settle(() => fail(budget.signal.reason));
    const fail = (error: unknown) => {
      client.destroy();
      carrier.stream.destroy();
      reject(error);
    };
    const failAsKnown = (error?: Error & { level?: string }) => {
      // An agent that cannot sign with one key is one failed attempt; ssh2 goes on with the next by itself.
      if (error?.level === "agent") {
        sequence.close(`the agent could not sign: ${error.message}`);
        return;
      }
      settle(
        () => void describe(carrier, { ...state, error, sequence, user, name: verifier.name }).then(fail),
      );
    };
    budget.signal.addEventListener("abort", onAbort, { once: true });
    client.on("error", failAsKnown);
    client.on("close", () => failAsKnown());
    client.on("change password", () =>
      settle(() =>
        fail(new SshError("auth_failed", `The server wants ${user} to set a new password first.`)),
      ),
    );
    client.on("handshake", (negotiated) => {
      // The new ciphers are in place when this turn of ssh2's parser has ended.
      queueMicrotask(() => keepCipherKeys(client));
      state.negotiated = { cipher: negotiated.cs.cipher, keyExchange: negotiated.kex };
      budget.enter("logging in");
    });
    client.on("hostkeys", (keys: ParsedKey[]) => {
      const proven = keys
        .map((key) => publicKeyOfBlob(key.getPublicSSH()))
        .filter((key) => key !== undefined);
      // What cannot be stored now is announced again by the next connection.
      if (state.hostKey) verifier.learn(state.hostKey, proven, PROVABLE_TYPES).catch(() => undefined);
    });
    client.on("ready", () =>
      settle(() => {
        client.removeAllListeners("error");
        client.removeAllListeners("close");
        const facts = {
          user,
          acceptedBy: sequence.accepted(),
          hostKey: state.hostKey,
          cipher: state.negotiated?.cipher,
          keyExchange: state.negotiated?.keyExchange,
        };
        resolve(createSsh2Session(client, carrier, facts));
      }),
    );
    budget.enter("waiting for the server's greeting and keys");
    try {
      client.connect({
        sock: carrier.stream as Duplex,
        username: user,
        algorithms,
        hostVerifier: (blob: Buffer, verify: (isTrusted: boolean) => void) => {
          const { hostKey } = state;
          if (hostKey === undefined) void judge(blob).then(verify);
          // Keys are being renewed. ssh2 must hear in the same turn, else it sends packets in the middle of the exchange;
          // and a server that shows another key than before is not the one that was judged.
          else verify(blob.equals(Buffer.from(hostKey.base64, "base64")));
        },
        authHandler: (offered, isPartial, next) => {
          const auth = sequence.next(offered, isPartial);
          // ssh2 ends the log-in on `false`, which its types do not know.
          if (auth === undefined) Reflect.apply(next, undefined, [false]);
          else next(auth);
        },
        readyTimeout: 0,
        keepaliveInterval: prepared.keepaliveMs ?? KEEPALIVE_MS,
        keepaliveCountMax: KEEPALIVES_MISSED_MAX,
      });
      // ssh2 tells of the greeting in its debug output only, and with that switched on describes every packet in words.
      const look = (bytes: Buffer) => {
        if (!bytes.includes("SSH-")) return;
        state.sawGreeting = true;
        carrier.stream.off("data", look);
      };
      carrier.stream.on("data", look);
    } catch (error) {
      settle(() => fail(error));
    }

    async function judge(blob: Buffer): Promise<boolean> {
      const key = publicKeyOfBlob(blob);
      if (key === undefined) return false;
      budget.enter("judging the host key");
      try {
        await budget.pauseWhile(() => verifier.verify(key));
        state.hostKey = key;
        return true;
      } catch (error) {
        state.hostKeyError = error;
        return false;
      }
    }
  });
}

type HandshakeState = {
  sawGreeting: boolean;
  hostKey?: PublicKey;
  hostKeyError?: unknown;
  negotiated?: { cipher: string; keyExchange: string };
};

type Ending = HandshakeState & {
  error: (Error & { level?: string }) | undefined;
  sequence: AuthSequence;
  user: string;
  name: string;
};

/** The one error that explains it best: what the host key says, then log-in, then algorithms, then the way itself. */
async function describe(carrier: Carrier, ending: Ending): Promise<unknown> {
  const { error, sequence, user, name } = ending;
  if (ending.hostKeyError !== undefined) return ending.hostKeyError;
  if (ending.negotiated !== undefined) {
    const cut = error?.level === "client-authentication" ? "" : `: ${error?.message ?? "the server hung up"}`;
    sequence.close(`refused by the server${cut}`);
    return new SshError("auth_failed", explainAttempts(user, sequence.attempts), error);
  }
  const message = error?.message ?? "the connection ended";
  if (/no matching/i.test(message)) {
    return new SshError(
      "algorithms_refused",
      `${name} and this client share no algorithm (${message}). An old machine needs legacy algorithms to be allowed for it; ` +
        "one that takes post-quantum keys or certificates alone needs the engine openssh.",
      error,
    );
  }
  const known = await carrier.explain();
  const why = [ending.sawGreeting ? message : "it ended before an SSH server greeted", known]
    .filter(Boolean)
    .join(": ");
  return new SshError(
    ending.sawGreeting ? "handshake_failed" : "unreachable",
    `No SSH with ${name}: ${why}`,
    error,
  );
}

function pausing(credentials: Credentials, budget: ConnectBudget): Credentials {
  const { answer } = credentials;
  if (answer === undefined) return credentials;
  return { ...credentials, answer: (questions) => budget.pauseWhile(() => answer(questions)) };
}

/**
 * The control plane as the CLI speaks to it: the contract's procedures as plain HTTP. Inputs travel in bodies, never in URLs. Redirects
 * are refused, since following one would hand the key to whoever the server names.
 */
import type { InputOf, OutputOf, ProcedureName } from "@nexus/shared/api/contract";
import { trustCertificate } from "@nexus/shared/crypto/trust-certificate";
import { isErrorCode, NexusError } from "@nexus/shared/errors";
import type { Connection } from "../config/cli-config.ts";

const CALL_TIMEOUT_MS = 60_000;
/** A server that restarts is back within this; waits between tries. */
const RETRY_WAITS_MS = [200, 500, 1000, 2000, 4000];

export type Api = {
  readonly url: string;
  call<P extends ProcedureName>(name: P, input: InputOf<P>): Promise<OutputOf<P>>;
  /** For calls that may be repeated without harm: tries again while the server cannot be reached. */
  callAgain<P extends ProcedureName>(name: P, input: InputOf<P>): Promise<OutputOf<P>>;
  /** Opens a raw route; the caller reads the body. @throws NexusError for every answer that is not 2xx. */
  open(path: string, signal: AbortSignal, input?: object): Promise<Response>;
};

export function createApi({ url, apiKey, certificate }: Omit<Connection, "target">): Api {
  if (certificate !== undefined) trustCertificate(certificate);
  const headers = { authorization: `Bearer ${apiKey}` };

  async function call<P extends ProcedureName>(name: P, input: InputOf<P>): Promise<OutputOf<P>> {
    const body = input === undefined ? {} : { method: "POST", body: JSON.stringify(input) };
    const response = await send(`/api/trpc/${name}`, {
      ...body,
      headers: { ...headers, "content-type": "application/json" },
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    return (await readJson(response)).result?.data as OutputOf<P>;
  }

  async function send(path: string, init: RequestInit): Promise<Response> {
    const response = await fetch(url + path, { ...init, redirect: "manual" }).catch((cause: unknown) => {
      throw unreachable(url, cause);
    });
    if (response.status >= 300 && response.status < 400) {
      throw new NexusError("unavailable", {
        detail: `${url} sends us on to ${response.headers.get("location")}. If that is right: nexus login <that address>`,
      });
    }
    if (response.ok) return response;
    const { error } = await readJson(response);
    const code = isErrorCode(error?.data?.nexusCode) ? error.data.nexusCode : "unavailable";
    throw new NexusError(code, {
      detail:
        error?.message ??
        `${url} answers ${response.status} to ${path.split("?")[0]}: is this a Nexus server?`,
      retryAfterMs: error?.data?.retryAfterMs,
    });
  }

  async function readJson(response: Response): Promise<Envelope> {
    const text = await response.text().catch((cause: unknown) => {
      throw unreachable(url, cause);
    });
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value === "object" && value !== null) return value;
    } catch {
      // Told below.
    }
    throw new NexusError("unavailable", {
      detail: `${url} answers with something that is not of Nexus (HTTP ${response.status}). Is the address right?`,
    });
  }

  return {
    url,
    call,
    async callAgain(name, input) {
      for (const waitMs of RETRY_WAITS_MS) {
        try {
          return await call(name, input);
        } catch (cause) {
          if (!isPassing(cause)) throw cause;
          await new Promise((resolve) => setTimeout(resolve, waitMs));
        }
      }
      return await call(name, input);
    },
    open(path, signal, input) {
      if (input === undefined) return send(path, { headers, signal });
      const json = { ...headers, "content-type": "application/json" };
      return send(path, { method: "POST", body: JSON.stringify(input), headers: json, signal });
    },
  };
}

type Envelope = {
  result?: { data: unknown };
  error?: { message: string; data: { nexusCode: string; retryAfterMs?: number } };
};

/** The server is away or restarts; the same call may work in a moment. */
export function isPassing(cause: unknown): boolean {
  return cause instanceof NexusError && cause.code === "unavailable" && cause.cause !== undefined;
}

function unreachable(url: string, cause: unknown): NexusError {
  const { detail, next } = whyUnreachable(url, cause);
  return new NexusError("unavailable", { detail: `${detail} ${next}`, cause });
}

export function whyUnreachable(url: string, cause: unknown): { detail: string; next: string } {
  const { text, next } = worldSentence(cause);
  return { detail: `${url} cannot be reached: ${text.replace(/\.$/, "")}.`, next };
}

const UNTRUSTED_CODES = [
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
];

function worldSentence(cause: unknown): { text: string; next: string } {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const next = "Is it running? Start one here with `npm run up`.";
  if (!(inner instanceof Error)) return { text: String(inner), next };
  const code = "code" in inner && typeof inner.code === "string" ? inner.code : "";
  if (code === "ECONNREFUSED") return { text: "nothing listens there", next };
  if (code === "" && inner.message === "bad port") {
    return { text: "no server may use that port", next: "Is the address right?" };
  }
  if (code === "ENOTFOUND") return { text: "the name is unknown", next: "Is the address right?" };
  if (inner.name === "TimeoutError") return { text: "it does not answer in time", next };
  if (UNTRUSTED_CODES.includes(code)) {
    return {
      text: "nobody that this machine trusts signed its certificate",
      next: "If it is your own, name it: nexus login --certificate <file>, with a copy of NEXUS_HOME/tls/cert.pem from the server.",
    };
  }
  return { text: code && !inner.message.includes(code) ? `${inner.message} (${code})` : inner.message, next };
}

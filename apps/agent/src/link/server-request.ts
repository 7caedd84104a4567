import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { isErrorCode, NexusError } from "@nexus/shared/errors";
import { httpErrorSchema } from "@nexus/shared/protocol/enroll-messages";
import { connectionOptions, type ServerAddress } from "./pinned-connection.ts";

export type ServerRequest<T> = {
  address: ServerAddress;
  method: "GET" | "POST";
  path: string;
  body?: unknown;
  schema: { safeParse(value: unknown): { success: true; data: T } | { success: false } };
};

const TIMEOUT_MS = 30_000;
const ANSWER_BYTES_MAX = 1024 * 1024;

/** One JSON request. @throws NexusError: the server's refusal, or `unavailable` with the cause when it cannot be reached. */
export async function requestServer<T>(given: ServerRequest<T>): Promise<T> {
  const { origin } = given.address;
  const { status, body } = await exchange(given).catch((cause: unknown) => {
    throw cause instanceof NexusError ? cause : unreachable(origin, cause);
  });
  if (status === 200) {
    const parsed = given.schema.safeParse(body);
    if (parsed.success) return parsed.data;
  }
  const refusal = httpErrorSchema.safeParse(body);
  if (status !== 200 && refusal.success && isErrorCode(refusal.data.error.code)) {
    const { code, message, retryAfterMs } = refusal.data.error;
    throw new NexusError(code, { detail: message, retryAfterMs: retryAfterMs ?? undefined });
  }
  throw new NexusError(status >= 500 ? "unavailable" : "protocol_error", {
    detail: `${origin}${given.path.split("?")[0]} answered with status ${status} and nothing that a Nexus control plane says. Is the address right, or is something else in front of it?`,
  });
}

async function exchange<T>(given: ServerRequest<T>): Promise<{ status: number; body: unknown }> {
  const { address, method, path } = given;
  const payload = given.body === undefined ? null : JSON.stringify(given.body);
  const send = address.origin.startsWith("https:") ? httpsRequest : httpRequest;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = send(`${address.origin}${path}`, {
      ...connectionOptions(address),
      method,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers:
        payload === null
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) },
    });
    asked.once("response", resolve);
    asked.once("error", reject);
    asked.end(payload ?? undefined);
  });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > ANSWER_BYTES_MAX) break;
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, body: parseJson(Buffer.concat(chunks).toString("utf8")) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export function unreachable(origin: string, cause: unknown): NexusError {
  return new NexusError("unavailable", {
    detail: `The control plane at ${origin} cannot be reached: ${describeNetworkError(cause)}.`,
    cause,
  });
}

const NETWORK_TEXT: Record<string, string> = {
  ECONNREFUSED: "nothing listens there (connection refused)",
  ENOTFOUND: "its name is not known (DNS)",
  EAI_AGAIN: "its name cannot be looked up now (DNS)",
  ETIMEDOUT: "it does not answer (timeout)",
  EHOSTUNREACH: "there is no way to it (host unreachable)",
  ENETUNREACH: "there is no way to it (network unreachable)",
  ECONNRESET: "the connection was cut",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed and not pinned",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate comes from an authority that this machine does not know",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate comes from an authority that this machine does not know",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
};

function describeNetworkError(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
  if (cause.name === "TimeoutError") return "it does not answer (timeout)";
  return NETWORK_TEXT[code] ?? (cause.message || code);
}

/** One connection to a port of a target, carried by the control plane: an HTTP upgrade, then bytes. */
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { Duplex } from "node:stream";
import { isErrorCode, NexusError } from "@nexus/shared/errors";
import type { Connection } from "../config/cli-config.ts";

const TIMEOUT_MS = 30_000;
const BODY_CHARS_MAX = 16_384;

export async function openTunnel(
  { url, apiKey }: Pick<Connection, "url" | "apiKey">,
  { target, port }: { target: string; port: number },
): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  const path = `/ws/tunnel?target=${encodeURIComponent(target)}&port=${port}`;
  const request = (url.startsWith("https:") ? requestHttps : requestHttp)(url + path, {
    headers: { authorization: `Bearer ${apiKey}`, connection: "Upgrade", upgrade: "nexus-tunnel" },
    timeout: TIMEOUT_MS,
  });
  request.on("upgrade", (_response, socket, head) => {
    socket.setTimeout(0);
    if (head.length > 0) socket.unshift(head);
    resolve(socket);
  });
  request.on("response", (response) => {
    let text = "";
    response.on("data", (bytes: Buffer) => {
      text = (text + bytes).slice(0, BODY_CHARS_MAX);
    });
    response.on("end", () => reject(refusalOf(response.statusCode ?? 0, text)));
  });
  request.on("timeout", () => request.destroy(new Error(`it did not answer within ${TIMEOUT_MS / 1000} s`)));
  request.on("error", (cause) => {
    reject(new NexusError("unavailable", { detail: `${url} cannot be reached: ${cause.message}.`, cause }));
  });
  request.end();
  return await promise;
}

function refusalOf(status: number, text: string): NexusError {
  try {
    const { error } = JSON.parse(text) as { error?: { code?: string; message?: string } };
    if (isErrorCode(error?.code)) return new NexusError(error.code, { detail: error.message });
  } catch {
    // Told below.
  }
  return new NexusError("unavailable", {
    detail: `The control plane answers ${status}: does it know port-forward?`,
  });
}

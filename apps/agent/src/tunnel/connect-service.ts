import { createConnection, type Socket } from "node:net";
import { NexusError } from "@nexus/shared/errors";
import type { TunnelTo } from "@nexus/shared/tunnel/tunnel-mux";

const CONNECT_MS = 10_000;
/** A service may listen on one of them only. */
const OWN_ADDRESSES = ["127.0.0.1", "::1"];

/** @throws NexusError with a sentence for whoever asked. */
export async function connectService(
  { host, port }: TunnelTo,
  { node, signal }: { node: string; signal: AbortSignal },
): Promise<Socket> {
  if (host !== "localhost") return await connectTo({ host, port }, { node, signal });
  let refusal: unknown;
  for (const address of OWN_ADDRESSES) {
    try {
      return await connectTo({ host: address, port }, { node, signal });
    } catch (error) {
      signal.throwIfAborted();
      refusal ??= error;
    }
  }
  throw refusal;
}

function connectTo(to: TunnelTo, { node, signal }: { node: string; signal: AbortSignal }): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ ...to, allowHalfOpen: true, noDelay: true, timeout: CONNECT_MS });
    const fail = (error: NodeJS.ErrnoException) => {
      signal.removeEventListener("abort", stop);
      socket.destroy();
      reject(refusalOf(error, to, node));
    };
    const stop = () => fail(new Error("it was given up"));
    signal.addEventListener("abort", stop, { once: true });
    socket.once("error", fail);
    socket.once("timeout", () => fail(Object.assign(new Error("timeout"), { code: "ETIMEDOUT" })));
    socket.once("connect", () => {
      signal.removeEventListener("abort", stop);
      socket.off("error", fail);
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}

function refusalOf(error: NodeJS.ErrnoException, { host, port }: TunnelTo, node: string): NexusError {
  const isOwn = OWN_ADDRESSES.includes(host);
  const { code = error.message } = error;
  const detail =
    code === "ECONNREFUSED"
      ? isOwn
        ? `Nothing listens on port ${port} of ${node}. Is the service up, and on that port?`
        : `${host}:${port} refuses connections from ${node}.`
      : code === "ENOTFOUND" || code === "EAI_AGAIN"
        ? `${node} knows no machine ${host}.`
        : code === "ETIMEDOUT"
          ? `${host}:${port} does not answer ${node} within ${CONNECT_MS / 1000} s.`
          : `${node} cannot reach ${host}:${port}: ${code}.`;
  return new NexusError("invalid_state", { detail, cause: error });
}

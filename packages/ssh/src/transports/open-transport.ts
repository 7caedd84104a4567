import { checkHost, checkPort } from "../config/host-settings.ts";
import type { ConnectBudget } from "../connect-budget.ts";
import { connectSsh2 } from "../engine-ssh2/connect-ssh2.ts";
import type { SshSession } from "../session.ts";
import { SshError } from "../ssh-error.ts";
import type { Carrier } from "./carrier.ts";
import { openProgram } from "./open-program.ts";
import { openTcp } from "./open-tcp.ts";
import { readTailscaleMode, tailscaleProgram } from "./tailscale.ts";
import type { Hop, Transport, TransportPrograms } from "./transport.ts";

export type OpenOptions = { budget: ConnectBudget; programs: TransportPrograms };

/** Opens one way. What comes out is a stream to an SSH server that nobody has verified yet. */
export async function openTransport(transport: Transport, options: OpenOptions): Promise<Carrier> {
  const { budget, programs } = options;
  const { env } = programs;
  switch (transport.kind) {
    case "direct":
      budget.enter(`connecting to ${transport.host} port ${transport.port}`);
      return openTcp(checkHost(transport.host), checkPort(transport.port), budget.signal);
    case "tailscale": {
      budget.enter(`connecting to ${transport.host} over Tailscale`);
      const host = checkHost(transport.host);
      const port = checkPort(transport.port);
      const mode = await readTailscaleMode(programs, budget.signal);
      if (mode === "tun") return openTcp(host, port, budget.signal);
      return openProgram({ argv: [tailscaleProgram(programs), "nc", host, String(port)], env });
    }
    case "cloudflare": {
      budget.enter(`connecting to ${transport.hostname} through Cloudflare`);
      const { serviceToken } = transport;
      const token =
        serviceToken === undefined
          ? {}
          : { TUNNEL_SERVICE_TOKEN_ID: serviceToken.id, TUNNEL_SERVICE_TOKEN_SECRET: serviceToken.secret };
      const program = programs.cloudflaredPath ?? "cloudflared";
      const argv = [program, "access", "ssh", "--hostname", checkHost(transport.hostname)];
      return openProgram({ argv, env: { ...env, ...token } });
    }
    case "proxy_command":
      budget.enter("connecting through the proxy command");
      return openProgram({ argv: ["sh", "-c", `exec ${transport.command}`], env });
    case "jump":
      return openJump(transport, budget);
  }
}

/** Hop by hop: each is logged in to over the stream that the one before forwards. They end with the last stream. */
async function openJump(jump: Extract<Transport, { kind: "jump" }>, budget: ConnectBudget): Promise<Carrier> {
  const sessions: SshSession[] = [];
  const closeAll = async () => {
    for (const session of sessions.toReversed()) await session.close();
  };
  const [first, ...rest] = jump.hops;
  if (first === undefined) throw new SshError("config_invalid", "A jump needs a host to jump through.");
  try {
    budget.enter(`connecting to the jump host ${first.host}`);
    let carrier = await openTcp(checkHost(first.host), checkPort(first.port), budget.signal);
    let hop: Hop = first;
    for (const next of [...rest, undefined]) {
      const session = await connectSsh2(carrier, { ...hop, budget });
      sessions.push(session);
      const to = next ?? jump;
      budget.enter(`waiting for ${hop.host} to reach ${to.host}`);
      const stream = await within(
        budget.signal,
        session.forwardOut({ host: checkHost(to.host), port: to.port }),
      ).catch((error: unknown) => {
        if (!(error instanceof SshError) || error.failure === "timed_out") throw error;
        throw new SshError(
          "unreachable",
          `The jump host ${hop.host} does not reach ${to.host}: ${error.message}`,
          error,
        );
      });
      carrier = { stream, explain: async () => (await endOf(session)) ?? "" };
      if (next !== undefined) hop = next;
    }
    carrier.stream.once("close", () => void closeAll());
    return carrier;
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function endOf(session: SshSession): Promise<string | undefined> {
  if (session.isOpen()) return undefined;
  return (await session.ended)?.message;
}

function within<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason);
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
  });
}

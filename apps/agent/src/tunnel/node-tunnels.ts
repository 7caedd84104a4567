/**
 * The node's end of tunnels: asked by the control plane, connects to a service of this machine. Owns the connections. Invariants:
 * none is opened that a policy file forbids; all end with the link. What lasts already is left alone when a policy changes.
 */
import { NexusError } from "@nexus/shared/errors";
import { TUNNELS_MAX } from "@nexus/shared/protocol/limits";
import type { TunnelAnswer } from "@nexus/shared/protocol/messages";
import { createTunnelMux, type TunnelMux } from "@nexus/shared/tunnel/tunnel-mux";
import { forbidTunnel, type PolicyFile } from "../core/node-policy.ts";
import { connectService } from "./connect-service.ts";

export type NodeTunnelsOptions = {
  /** The node's name, for sentences. */
  node: string;
  readPolicies(): Promise<PolicyFile[]>;
  send(message: TunnelAnswer): boolean;
  wake(): void;
};

export function createNodeTunnels(options: NodeTunnelsOptions): TunnelMux {
  const { node } = options;
  return createTunnelMux<TunnelAnswer>({
    send: options.send,
    wake: options.wake,
    tunnelsMax: TUNNELS_MAX,
    limitText: () =>
      `${node} carries ${TUNNELS_MAX} tunnels at once already, which is all it takes. Close some, or ask again later.`,
    async connect(to, signal) {
      const why = forbidTunnel(await options.readPolicies(), to);
      if (why !== null) throw new NexusError("forbidden", { detail: `${node} does not allow this: ${why}.` });
      return { stream: await connectService(to, { node, signal }) };
    },
  });
}

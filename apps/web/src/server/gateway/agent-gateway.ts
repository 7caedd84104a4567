/** The agents' side of the control plane: admits handshakes at a bounded rate, serves their sockets, owns the hub. */
import type { Duplex } from "node:stream";
import { FRAME_BYTES_MAX } from "@nexus/shared/protocol/limits";
import type { TunnelTo } from "@nexus/shared/tunnel/tunnel-mux";
import { WebSocketServer } from "ws";
import type { NodeSessions } from "../services/node-session.ts";
import type { AgentPort, Hub, RandomBytes } from "../services/ports.ts";
import { type AdmissionLimits, admit, openAdmission } from "./admission.ts";
import { serveAgentSocket } from "./agent-socket.ts";
import { createHub } from "./hub.ts";
import type { GatewayLog } from "./live-session.ts";
import { rejectUpgrade, type UpgradeHandler } from "./upgrade.ts";

/** 50 handshakes a second leave most of a core free: one costs ≈ 0.5 ms of signatures, and ≈ 7 ms where TLS is ours. */
const ADMISSION: AdmissionLimits = { perSecond: 50, burst: 100 };

export type AgentGateway = {
  readonly hub: Hub;
  readonly upgrade: UpgradeHandler;
  /** A connection to a service of a node, carried by its agent. @throws NexusError `target_offline`, `needs_update`, or the node's own. */
  openTunnel(target: string, to: TunnelTo): Promise<Duplex>;
  close(): Promise<void>;
};

export type AgentGatewayOptions = {
  sessions: NodeSessions;
  port: AgentPort;
  /** Monotonic. */
  nowMs(): number;
  randomBytes: RandomBytes;
  log: GatewayLog;
  admission?: AdmissionLimits;
  heartbeatMs?: number;
  probeMs?: number;
};

export function createAgentGateway(options: AgentGatewayOptions): AgentGateway {
  const { sessions, port, nowMs, randomBytes, log, admission = ADMISSION } = options;
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: FRAME_BYTES_MAX,
    perMessageDeflate: false,
    clientTracking: true,
  });
  const hub = createHub({ ...options, random: () => (randomBytes(1)[0] ?? 0) / 256 });
  let bucket = openAdmission(nowMs(), admission);
  let isClosing = false;

  return {
    hub,
    openTunnel: (target, to) => hub.openTunnel(target, to),
    upgrade(request, socket, head) {
      const entry = admit(bucket, nowMs(), admission);
      bucket = entry.state;
      if (isClosing || !entry.admitted) {
        const retryAfterMs = entry.admitted ? 1_000 : entry.retryAfterMs;
        rejectUpgrade(socket, { status: 503, message: "Many nodes connect at once.", retryAfterMs });
        return;
      }
      server.handleUpgrade(request, socket, head, (ws) => {
        serveAgentSocket({
          socket: ws,
          remoteAddress: request.socket.remoteAddress ?? "?",
          sessions,
          port,
          claim: (session) => hub.claim(session),
          cloneSeen: (targetId) =>
            hub.cloneSeen(
              targetId,
              `A copy of this node's identity tried to connect from ${request.socket.remoteAddress} and was refused.`,
            ),
          heartbeatMs: () => hub.heartbeatMs(),
          bytesRead: () => request.socket.bytesRead,
          nowMs,
          randomBytes,
          log,
        });
      });
    },
    async close() {
      isClosing = true;
      await hub.close();
      for (const socket of server.clients) socket.terminate();
      server.close();
    },
  };
}

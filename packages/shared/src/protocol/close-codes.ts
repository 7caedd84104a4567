/** WebSocket close codes of the agent link. `retry` tells the agent whether to come back by itself. */
export const CLOSE = {
  shuttingDown: { code: 1012, reason: "control plane restarts", retry: true },
  overloaded: { code: 1013, reason: "control plane is busy", retry: true },
  protocolError: { code: 4400, reason: "protocol error", retry: true },
  unauthenticated: { code: 4401, reason: "node is not known or its signature is wrong", retry: false },
  revoked: { code: 4403, reason: "node was revoked", retry: false },
  handshakeTimeout: { code: 4408, reason: "handshake took too long", retry: true },
  replaced: { code: 4409, reason: "a newer connection of this node took over", retry: false },
  cloned: { code: 4410, reason: "another copy of this node is in use", retry: false },
  needsUpdate: { code: 4426, reason: "no common protocol version", retry: false },
  silent: { code: 4504, reason: "no heartbeat", retry: true },
} as const satisfies Record<string, { code: number; reason: string; retry: boolean }>;

export type CloseName = keyof typeof CLOSE;

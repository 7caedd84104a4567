/**
 * A target's connection states. `cordoned` (takes no new jobs) and `draining` (cordoned until its jobs end) are separate
 * facts beside the state: a cordoned target may be connected or not.
 */
export const TARGET_STATES = [
  "connecting",
  "connected",
  "unreachable",
  "offline",
  "revoked",
  "needs_update",
] as const;
export type TargetState = (typeof TARGET_STATES)[number];

export const TARGET_EVENTS = ["dial", "welcome", "miss", "give_up", "revoke", "refuse_version"] as const;
export type TargetEvent = (typeof TARGET_EVENTS)[number];

/**
 * `dial`: the agent opened a socket. `welcome`: the handshake ended well. `miss`: heartbeats or the socket went missing.
 * `give_up`: silent for longer than the offline limit. `refuse_version`: it speaks no protocol version that we speak.
 */
export const TARGET_TRANSITIONS: Record<TargetState, Partial<Record<TargetEvent, TargetState>>> = {
  connecting: {
    dial: "connecting",
    welcome: "connected",
    miss: "unreachable",
    give_up: "offline",
    revoke: "revoked",
    refuse_version: "needs_update",
  },
  connected: {
    dial: "connected",
    welcome: "connected",
    miss: "unreachable",
    revoke: "revoked",
    refuse_version: "needs_update",
  },
  unreachable: {
    dial: "connecting",
    welcome: "connected",
    miss: "unreachable",
    give_up: "offline",
    revoke: "revoked",
    refuse_version: "needs_update",
  },
  offline: {
    dial: "connecting",
    welcome: "connected",
    give_up: "offline",
    revoke: "revoked",
    refuse_version: "needs_update",
  },
  revoked: {},
  needs_update: {
    dial: "connecting",
    welcome: "connected",
    give_up: "offline",
    revoke: "revoked",
    refuse_version: "needs_update",
  },
};

export function nextTargetState(state: TargetState, event: TargetEvent): TargetState | null {
  return TARGET_TRANSITIONS[state][event] ?? null;
}

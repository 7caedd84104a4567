/**
 * Liveness, for both ends. Owns: when a frame was last heard and when the watch last looked. A peer is dead after
 * HEARTBEAT_MISSES_MAX intervals without any frame, but silence is only counted while our own loop ran: after a stall or a
 * suspended laptop the peer's frames may wait unread in our socket, so it gets a fresh count.
 */
import { HEARTBEAT_MISSES_MAX } from "./limits.ts";

export type Heartbeat = { readonly heardAtMs: number; readonly lookedAtMs: number };
export type HeartbeatVerdict = "alive" | "dead" | "stalled";

/** A look this much later than planned means that we, not the peer, were away. */
const STALL_FACTOR = 2;

export function beginHeartbeat(nowMs: number): Heartbeat {
  return { heardAtMs: nowMs, lookedAtMs: nowMs };
}

export function heard(state: Heartbeat, nowMs: number): Heartbeat {
  return { ...state, heardAtMs: nowMs };
}

/** Called about once an interval, on a monotonic clock. */
export function look(
  state: Heartbeat,
  nowMs: number,
  intervalMs: number,
): { state: Heartbeat; verdict: HeartbeatVerdict } {
  if (nowMs - state.lookedAtMs > intervalMs * STALL_FACTOR) {
    return { state: { heardAtMs: nowMs, lookedAtMs: nowMs }, verdict: "stalled" };
  }
  const dead = nowMs - state.heardAtMs > intervalMs * HEARTBEAT_MISSES_MAX;
  return { state: { ...state, lookedAtMs: nowMs }, verdict: dead ? "dead" : "alive" };
}

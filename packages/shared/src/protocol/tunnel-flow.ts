/**
 * How much of one tunnel is on its way; pure. Each end may send until the other's window is full and goes on when that end's
 * reader took some of it, so a slow reader stops its own tunnel and nothing else. Invariants: of what came and was not taken
 * there is never more than a window; two ends that keep to it never stand still while one has bytes and the other reads.
 */
import { TUNNEL_CHUNK_BYTES_MAX, TUNNEL_FRAME_COST_BYTES, TUNNEL_WINDOW_BYTES } from "./limits.ts";

export type TunnelFlow = {
  /** That we may still send, in the peer's window. */
  readonly maySend: number;
  /** That the peer may still send, in ours. */
  readonly mayCome: number;
  /** That was taken here and not given back to the peer yet. */
  readonly taken: number;
};

/** Given back in so large steps that half of a window is always on its way, and few messages say so. */
const CREDIT_STEP_BYTES = TUNNEL_WINDOW_BYTES / 2;

export const NEW_TUNNEL_FLOW: TunnelFlow = {
  maySend: TUNNEL_WINDOW_BYTES,
  mayCome: TUNNEL_WINDOW_BYTES,
  taken: 0,
};

/** What a frame with so many bytes takes of a window. */
export function tunnelCost(bytes: number): number {
  return bytes + TUNNEL_FRAME_COST_BYTES;
}

/** @returns how many of the waiting bytes may leave in one frame now; 0 for none. */
export function nextPiece(flow: TunnelFlow, waitingBytes: number): number {
  return Math.max(0, Math.min(waitingBytes, TUNNEL_CHUNK_BYTES_MAX, flow.maySend - TUNNEL_FRAME_COST_BYTES));
}

export function sentPiece(flow: TunnelFlow, bytes: number): TunnelFlow {
  return { ...flow, maySend: flow.maySend - tunnelCost(bytes) };
}

/** @returns null when the peer sent more than it may. */
export function cameBytes(flow: TunnelFlow, bytes: number): TunnelFlow | null {
  const mayCome = flow.mayCome - tunnelCost(bytes);
  return mayCome < 0 ? null : { ...flow, mayCome };
}

/** The reader took a frame of so many bytes. `credit` is to be told to the peer, unless it is 0. */
export function tookBytes(flow: TunnelFlow, bytes: number): { flow: TunnelFlow; credit: number } {
  const taken = flow.taken + tunnelCost(bytes);
  if (taken < CREDIT_STEP_BYTES) return { flow: { ...flow, taken }, credit: 0 };
  return { flow: { ...flow, taken: 0, mayCome: flow.mayCome + taken }, credit: taken };
}

/** @returns null when the peer gives back more than we sent. */
export function gotCredit(flow: TunnelFlow, bytes: number): TunnelFlow | null {
  const maySend = flow.maySend + bytes;
  return maySend > TUNNEL_WINDOW_BYTES ? null : { ...flow, maySend };
}

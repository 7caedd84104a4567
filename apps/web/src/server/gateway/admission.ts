/**
 * How many handshakes we begin: after a restart a whole fleet dials at once, and each TLS handshake and signature costs
 * milliseconds. A bucket that fills with time; who finds it empty is told when to come back, each at another moment.
 */
export type Admission = { readonly tokens: number; readonly atMs: number; readonly turnedAway: number };

export type AdmissionLimits = { perSecond: number; burst: number };

export function openAdmission(nowMs: number, limits: AdmissionLimits): Admission {
  return { tokens: limits.burst, atMs: nowMs, turnedAway: 0 };
}

export function admit(
  state: Admission,
  nowMs: number,
  limits: AdmissionLimits,
): { state: Admission; admitted: true } | { state: Admission; admitted: false; retryAfterMs: number } {
  const gained = (Math.max(0, nowMs - state.atMs) / 1000) * limits.perSecond;
  const tokens = Math.min(limits.burst, state.tokens + gained);
  // Those turned away come back in the order of their turn, at the rate that is served.
  const turnedAway = Math.max(0, state.turnedAway - gained);
  if (tokens >= 1) {
    return { state: { tokens: tokens - 1, atMs: nowMs, turnedAway }, admitted: true };
  }
  const retryAfterMs = Math.ceil(((1 - tokens + turnedAway) / limits.perSecond) * 1000);
  return { state: { tokens, atMs: nowMs, turnedAway: turnedAway + 1 }, admitted: false, retryAfterMs };
}

/** How the team's targets are reached over SSH: ways, kept keys, and how each transport did since this control plane started. */
import type { SshTransportHealth, SshWay } from "@nexus/shared/api/ssh";
import { fingerprintOf } from "@nexus/ssh/host-keys/public-key";
import { isHealthy, successRate, type TransportHealth } from "@nexus/ssh/transports/transport-health";
import { listTargetWays } from "../../db/queries/list-target-ways.ts";
import type { Principal } from "../ports.ts";
import { sshTargetOf, wayOf } from "./reach-machine.ts";
import type { SshContext } from "./ssh-context.ts";

const ERROR_CHARS_MAX = 500;

export async function listWays(ctx: SshContext, principal: Principal): Promise<SshWay[]> {
  const open = ctx.pool.stats().targets;
  const nowMs = ctx.clock.nowMs();
  return (await listTargetWays(ctx.db, principal.teamId)).map(
    ({ targetId, publicId, name, kind, ...way }) => {
      const host = { ...way, hostKeyAlias: way.hostKeyName, legacy: way.isLegacy };
      const target = sshTargetOf(ctx, principal, { host, credentials: {} });
      return {
        target: { id: publicId, name, kind },
        way: wayOf(way),
        servedOver: kind === "ssh" ? ctx.agentlessTransport(targetId) : null,
        key: way.publicKey && { type: way.publicKey.type, fingerprint: fingerprintOf(way.publicKey) },
        transports: ctx.connector.health(target).map(({ transport, ...health }, _at, { length }) => {
          // The only one is tried whatever happened before.
          const isLeftOut = length > 1 && !isHealthy(health) && health.nextTryAtMs > nowMs;
          return { transport, ...healthForPeople(health, isLeftOut) };
        }),
        connections: open
          .filter(({ id }) => id === target.id)
          .map(({ transport, channels, channelsMax, state }) => ({
            ...{ transport, channels, channelsMax },
            isDraining: state === "draining",
          })),
      };
    },
  );
}

function healthForPeople(health: TransportHealth, isLeftOut: boolean): Omit<SshTransportHealth, "transport"> {
  const { successes, failures, consecutiveFailures, latencyMs, lastError } = health;
  return {
    state: isLeftOut ? "resting" : stateOf(health),
    consecutiveFailures,
    successRate: successes + failures === 0 ? null : successRate(health),
    latencyMs: latencyMs === undefined ? null : Math.round(latencyMs),
    lastSuccessAtMs: health.lastSuccessAtMs ?? null,
    lastFailureAtMs: health.lastFailureAtMs ?? null,
    lastError: lastError === undefined ? null : lastError.slice(0, ERROR_CHARS_MAX),
    nextTryAtMs: isLeftOut ? health.nextTryAtMs : null,
  };
}

function stateOf(health: TransportHealth): SshTransportHealth["state"] {
  if (health.consecutiveFailures > 0) return "failing";
  if (health.lastError !== undefined) return "refused";
  return health.successes > 0 ? "works" : "untried";
}

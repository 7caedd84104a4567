/** Tokens that let machines into a team. The seed is shown once; here stays its public half. */
import type { OutputOf } from "@nexus/shared/api/contract";
import type { EnrollToken } from "@nexus/shared/api/schemas";
import { assert } from "@nexus/shared/assert";
import { newKeyPair } from "@nexus/shared/crypto/ed25519";
import { NexusError } from "@nexus/shared/errors";
import { newId } from "@nexus/shared/ids";
import { encodeEnrollToken } from "@nexus/shared/protocol/enroll-token";
import { findTeamTarget } from "../db/queries/find-team-target.ts";
import { insertEnrollToken } from "../db/queries/insert-enroll-token.ts";
import { listEnrollTokens as listRows } from "../db/queries/list-enroll-tokens.ts";
import { revokeEnrollToken as revokeRow } from "../db/queries/revoke-enroll-token.ts";
import type { EnrollContext } from "./enroll-context.ts";
import type { Principal } from "./ports.ts";
import { recordAudit } from "./record-audit.ts";
import type { ParsedInput } from "./services.ts";

export async function createEnrollToken(
  ctx: EnrollContext,
  principal: Principal,
  input: ParsedInput<"enrollTokens.create">,
): Promise<OutputOf<"enrollTokens.create">> {
  const origin = ctx.origins()[0];
  assert(origin !== undefined, "the control plane knows no address of its own");
  const pair = newKeyPair();
  const publicId = newId("enrollToken", ctx.randomBytes);
  await ctx.db.transaction(async (tx) => {
    const reinstalled =
      input.target === undefined ? null : await findTeamTarget(tx, principal.teamId, input.target);
    if (input.target !== undefined && reinstalled === null) {
      throw new NexusError("not_found", { detail: `There is no target ${input.target} in the fleet.` });
    }
    await insertEnrollToken(tx, {
      publicId,
      teamId: principal.teamId,
      publicKey: pair.publicKey,
      name: input.name ?? null,
      labels: input.labels,
      usesMax: reinstalled === null ? input.usesMax : 1,
      targetId: reinstalled?.id ?? null,
      createdBy: principal.userId,
      ttlMs: input.ttlMs,
    });
    await recordAudit(tx, principal, {
      action: "enroll_token.created",
      subject: publicId,
      detail:
        reinstalled === null
          ? `Lets ${input.usesMax} ${input.usesMax === 1 ? "machine" : "machines"} in.`
          : `Reinstalls ${reinstalled.name}.`,
      atMs: ctx.clock.nowMs(),
    });
  });
  ctx.events.emit("enrollToken", { teamId: principal.teamId, enrollToken: publicId });
  const secret = encodeEnrollToken({
    origin,
    identityPin: ctx.identity.pin,
    spkiPin: origin.startsWith("https:") ? ctx.spkiPin : null,
    tokenId: publicId,
    seed: pair.seed,
  });
  return {
    enrollToken: await getEnrollToken(ctx, principal, publicId),
    secret,
    command: `npx nexus-agent enroll ${secret}`,
    fromHere: fromHere(ctx, origin, secret),
  };
}

/** npx knows nothing of pins: from an address with a certificate of our own it takes nothing. */
function fromHere(
  { agentPackage, spkiPin }: EnrollContext,
  origin: string,
  secret: string,
): OutputOf<"enrollTokens.create">["fromHere"] {
  if (agentPackage === null || (origin.startsWith("https:") && spkiPin !== null)) return null;
  const { path, sha256 } = agentPackage;
  return { command: `npx --yes ${origin}${path} enroll ${secret}`, sha256 };
}

export async function listEnrollTokens(ctx: EnrollContext, principal: Principal): Promise<EnrollToken[]> {
  return (await listRows(ctx.db, principal.teamId, null)).map(toApi);
}

/** Nodes that came with it stay: each has a key of its own, and is removed by itself. */
export async function revokeEnrollToken(
  ctx: EnrollContext,
  principal: Principal,
  publicId: string,
): Promise<EnrollToken> {
  await ctx.db.transaction(async (tx) => {
    if (!(await revokeRow(tx, principal.teamId, publicId))) throw unknownToken(publicId);
    await recordAudit(tx, principal, {
      action: "enroll_token.revoked",
      subject: publicId,
      detail: "No more machines can come with it.",
      atMs: ctx.clock.nowMs(),
    });
  });
  ctx.events.emit("enrollToken", { teamId: principal.teamId, enrollToken: publicId });
  return await getEnrollToken(ctx, principal, publicId);
}

async function getEnrollToken(
  ctx: EnrollContext,
  principal: Principal,
  publicId: string,
): Promise<EnrollToken> {
  const row = (await listRows(ctx.db, principal.teamId, publicId))[0];
  if (row === undefined) throw unknownToken(publicId);
  return toApi(row);
}

function unknownToken(publicId: string): NexusError {
  return new NexusError("not_found", { detail: `There is no enrolment token ${publicId} in this team.` });
}

function toApi(row: Awaited<ReturnType<typeof listRows>>[number]): EnrollToken {
  const used = row.uses >= row.usesMax;
  return {
    id: row.publicId,
    name: row.name,
    labels: row.labels,
    uses: row.uses,
    usesMax: row.usesMax,
    state: row.revokedAt !== null ? "revoked" : used ? "used" : row.expired ? "expired" : "live",
    createdBy: row.createdBy,
    createdAtMs: row.createdAt.getTime(),
    expiresAtMs: row.expiresAt.getTime(),
    targets: row.targets,
  };
}

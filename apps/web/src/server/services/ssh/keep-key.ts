import type { Target } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { showKey } from "@nexus/ssh/host-keys/public-key";
import { installKey, revokeKey } from "@nexus/ssh/keys/authorized-keys";
import { generateKey } from "@nexus/ssh/keys/generate-key";
import type { SshSession } from "@nexus/ssh/session";
import { SshError } from "@nexus/ssh/ssh-error";
import { findTargetSsh } from "../../db/queries/find-target-ssh.ts";
import { putTargetSsh } from "../../db/queries/put-target-ssh.ts";
import { recordAudit } from "../record-audit.ts";
import { type MachineWork, rowOf } from "./machine-work.ts";
import { sshTargetOf } from "./reach-machine.ts";
import type { SshContext } from "./ssh-context.ts";
import { openTargetKey, sealTargetKey } from "./target-key.ts";

/** A key for this machine alone: made here, installed there, proved, and kept sealed. One that works already stays. */
export async function keepKey(
  ctx: SshContext,
  session: SshSession,
  { work, target }: { work: MachineWork; target: Target },
) {
  const { run, index, reach } = work;
  const targetId = await rowOf(ctx, run, target);
  const before = await findTargetSsh(ctx.db, targetId);
  if (before === null)
    throw new NexusError("not_found", { detail: `The way to ${target.name} is not known (any more).` });
  const held = openTargetKey(ctx.masterKey, target.id, before);
  const tryKey = async (text: string) => {
    const credentials = { keys: [{ label: "the key of this machine", text }] };
    // On the way only the machines' own log-ins count; the last one must let the new key in.
    const ways = sshTargetOf(ctx, run.principal, reach);
    const proof = await ctx.connector.connect({ ...ways, credentials }, run.signal);
    await proof.session.close();
  };
  if (held !== null && (await tryKey(held).then(() => true, refusedOnly))) {
    run.teller(index, "key")("skip", "Its key lets Nexus in already.");
    return;
  }
  const comment = `nexus ${target.name}`;
  const pair = generateKey(comment);
  run.hide(pair.privateKey);
  const restrict = { allow: ["pty", "port-forwarding"] } as const;
  await installKey(session, { key: pair.publicKey, comment, restrict });
  try {
    await tryKey(pair.privateKey);
  } catch (error) {
    await revokeKey(session, pair.publicKey);
    throw error;
  }
  const key = {
    publicKey: pair.publicKey,
    sealedPrivateKey: sealTargetKey(ctx.masterKey, target.id, pair.privateKey),
  };
  await putTargetSsh(ctx.db, { ...before, ...key, updatedAt: new Date(ctx.clock.nowMs()) });
  await recordAudit(ctx.db, run.principal, {
    action: "target.ssh_key_made",
    subject: target.id,
    detail: `${target.name} lets Nexus in by ${showKey(pair.publicKey)}.`,
    atMs: ctx.clock.nowMs(),
  });
  // Nothing opens it any more: a line that lets somebody in is not left behind.
  if (before.publicKey) await revokeKey(session, before.publicKey);
  run.teller(index, "key")(
    "done",
    `Made a key for this machine and proved it: ${showKey(pair.publicKey)}. It lies here, sealed.`,
  );
}

/** A network that is down says nothing about the key. */
function refusedOnly(error: unknown): false {
  if (error instanceof SshError && error.failure === "auth_failed") return false;
  throw error;
}

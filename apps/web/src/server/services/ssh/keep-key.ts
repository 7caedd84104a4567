import type { Target } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { fingerprintOf, type PublicKey, showKey } from "@nexus/ssh/host-keys/public-key";
import { installKey, revokeKey } from "@nexus/ssh/keys/authorized-keys";
import { generateKey } from "@nexus/ssh/keys/generate-key";
import type { SshSession } from "@nexus/ssh/session";
import { SshError } from "@nexus/ssh/ssh-error";
import { findTargetSsh } from "../../db/queries/find-target-ssh.ts";
import { putTargetSsh } from "../../db/queries/put-target-ssh.ts";
import { recordAudit } from "../record-audit.ts";
import { type MachineWork, rowOf } from "./machine-work.ts";
import { addressOf, hopsOf, sshTargetOf } from "./reach-machine.ts";
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
    // All the way by what will be there when nobody is: those on the way must let it on, too.
    const proof = await ctx.connector.connect(
      sshTargetOf(ctx, run.principal, { ...reach, credentials }),
      run.signal,
    );
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
  try {
    await installOnTheWay(ctx, work, { key: pair.publicKey, comment });
    // Last: where the machine shares its home with a jump host its own line is the one that stays.
    await installKey(session, { key: pair.publicKey, comment, restrict });
    await tryKey(pair.privateKey);
  } catch (error) {
    await revokeKey(session, pair.publicKey);
    await revokeOnTheWay(ctx, work, pair.publicKey);
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
  if (before.publicKey) {
    await revokeKey(session, before.publicKey);
    await revokeOnTheWay(ctx, work, before.publicKey);
  }
  run.teller(index, "key")(
    "done",
    `Made a key for this machine and proved it: ${showKey(pair.publicKey)}. It lies here, sealed.`,
  );
}

/** On a jump host the key leads on, and does nothing else there. */
const LEADS_ON = { allow: ["port-forwarding"], command: "echo This key only leads on." } as const;

type KeyOnTheWay = { key: PublicKey; comment: string };

/** By the person's own log-ins, since nothing else is let in there yet. */
async function installOnTheWay(
  ctx: SshContext,
  { run, index, reach }: MachineWork,
  { key, comment }: KeyOnTheWay,
): Promise<void> {
  for (const hop of hopsOf(reach)) {
    const { session } = await ctx.connector.connect(sshTargetOf(ctx, run.principal, hop), run.signal);
    try {
      await installKey(session, { key, comment, restrict: LEADS_ON });
    } finally {
      await session.close();
    }
    run.teller(index, "key")("info", `${addressOf(hop.host)} lets it on to this machine, and nothing else.`);
  }
}

/** As far as the person's own log-ins lead: the key itself may do nothing there. What stays is told, and harms nobody. */
export async function revokeOnTheWay(
  ctx: SshContext,
  { run, index, reach, host, input }: MachineWork,
  key: PublicKey,
): Promise<void> {
  const own = host.credentials ?? input.credentials;
  for (const hop of hopsOf({ ...reach, credentials: own })) {
    const tell = run.teller(index, run.host(index).step ?? "key");
    const where = addressOf(hop.host);
    try {
      const { session } = await ctx.connector.connect(sshTargetOf(ctx, run.principal, hop), run.signal);
      try {
        if (await revokeKey(session, key))
          tell("done", `Our key is taken out of authorized_keys of ${where}.`);
      } finally {
        await session.close();
      }
    } catch (error) {
      run.signal.throwIfAborted();
      const why = error instanceof SshError ? error.message : "it could not be reached";
      tell("warn", `Our key, which only leads on, stays on ${where}: ${why}`);
      tell("fix", `Take the line with ${fingerprintOf(key)} out of authorized_keys there.`);
    }
  }
}

/** A network that is down says nothing about the key. */
function refusedOnly(error: unknown): false {
  if (error instanceof SshError && error.failure === "auth_failed") return false;
  throw error;
}

import type { Target } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { runScript } from "@nexus/ssh/exec/run-remote";
import { type PublicKey, showKey } from "@nexus/ssh/host-keys/public-key";
import { installKey, revokeKey } from "@nexus/ssh/keys/authorized-keys";
import { generateKey } from "@nexus/ssh/keys/generate-key";
import type { SshSession } from "@nexus/ssh/session";
import { SshError } from "@nexus/ssh/ssh-error";
import { findTargetSsh } from "../../db/queries/find-target-ssh.ts";
import { putTargetSsh } from "../../db/queries/put-target-ssh.ts";
import { recordAudit } from "../record-audit.ts";
import { type MachineWork, rowOf } from "./machine-work.ts";
import { addressOf, hopsOf, type Reach, sshTargetOf, wayOf } from "./reach-machine.ts";
import type { SshContext } from "./ssh-context.ts";
import { openTargetKey, sealTargetKey } from "./target-secrets.ts";

/** So long what a failed or cancelled run has put on machines is taken off them again. */
const CLEAN_MS = 30_000;

export type Keeping = {
  work: MachineWork;
  target: Target;
  /** By which it was reached before this run, where that was another way. */
  formerWay?: Pick<Reach["host"], "jumps"> | null;
  /** Also where the key that is kept works. */
  isRotation?: boolean;
};

/**
 * A key for this machine alone: made here, installed there, proved, kept sealed, and only then is the one before taken out. One
 * that works already stays, unless it is rotated. Cut off in between, what stays on the machine is a line of a key that nobody has.
 */
export async function keepKey(
  ctx: SshContext,
  session: SshSession,
  { work, target, formerWay = null, isRotation = false }: Keeping,
) {
  const { run, index, reach } = work;
  const tell = run.teller(index, "key");
  const targetId = await rowOf(ctx, run, target);
  const before = await findTargetSsh(ctx.db, targetId);
  if (before === null)
    throw new NexusError("not_found", { detail: `The way to ${target.name} is not known (any more).` });
  // By the person's own log-ins: a key of ours runs nothing on the way.
  const own = ownReach(work);
  const hops = hopsOf(own);
  const formerHops = formerWay === null ? [] : hopsOf({ ...own, host: { ...own.host, ...formerWay } });
  const held = isRotation ? null : openTargetKey(ctx.masterKey, target.id, before);
  if (held !== null && (await proveKey(ctx, work, held).then(() => true, refusedOnly))) {
    tell("skip", "Its key lets Nexus in already.");
    const left = formerHops.filter(({ host }) => !hops.some((hop) => wayOf(hop.host) === wayOf(host)));
    if (before.publicKey) await revokeOnTheWay(ctx, work, { key: before.publicKey, hops: left });
    return;
  }
  const comment = `nexus ${target.name}`;
  const pair = generateKey(comment);
  run.hide(pair.privateKey);
  const installed: Reach[] = [];
  try {
    for (const [at, hop] of hops.entries()) {
      await installOnHop(ctx, work, {
        hop,
        next: hops[at + 1]?.host ?? reach.host,
        key: pair.publicKey,
        comment,
      });
      installed.push(hop);
    }
    // Last: where the machine shares its home with a jump host its own line is the one that stays.
    await installKey(session, {
      key: pair.publicKey,
      comment,
      restrict: { allow: ["pty", "port-forwarding"] },
    });
    await proveKey(ctx, work, pair.privateKey);
  } catch (error) {
    const signal = AbortSignal.timeout(CLEAN_MS);
    await takeOut(work, { key: pair.publicKey, where: addressOf(reach.host), session: async () => session });
    await revokeOnTheWay(ctx, work, { key: pair.publicKey, hops: installed, signal });
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
  tell(
    "done",
    `Made a key for this machine and proved it: ${showKey(pair.publicKey)}. It lies here, sealed.`,
  );
  // Nothing opens it any more: a line that lets somebody in is not left behind.
  if (before.publicKey) {
    await takeOut(work, {
      key: before.publicKey,
      where: addressOf(reach.host),
      session: async () => session,
    });
    await revokeOnTheWay(ctx, work, { key: before.publicKey, hops: formerWay === null ? hops : formerHops });
  }
}

/** All the way by what will be there when nobody is, to a command of ours: a key may let in and run another. */
async function proveKey(ctx: SshContext, { run, reach }: MachineWork, text: string): Promise<void> {
  const credentials = { keys: [{ label: "the key of this machine", text }] };
  const way = sshTargetOf(ctx, run.principal, { ...reach, credentials });
  const { session } = await ctx.connector.connect(way, run.signal);
  try {
    const script = { what: "trying the key", text: "echo let in", args: [] };
    const said = (await runScript(session, script, { signal: run.signal })).trim();
    if (!said.endsWith("let in"))
      throw new SshError(
        "remote_refused",
        `The key of this machine runs nothing there: it said ${JSON.stringify(said.slice(0, 100))}`,
      );
  } finally {
    await session.close();
  }
}

type OnHop = { hop: Reach; next: Reach["host"]; key: PublicKey; comment: string };

/** The way with what the person of this run gave, and without the key that is kept. */
function ownReach({ reach, host, input }: MachineWork): Reach {
  return { ...reach, credentials: host.credentials ?? input.credentials };
}

/** The key leads on from there, and runs nothing. */
async function installOnHop(
  ctx: SshContext,
  { run, index }: MachineWork,
  { hop, next, key, comment }: OnHop,
): Promise<void> {
  const place = `${next.host.includes(":") ? `[${next.host}]` : next.host}:${next.port}`;
  const restrict = {
    allow: ["port-forwarding"],
    permitOpen: [place],
    command: "echo This key only leads on.",
  } as const;
  const { session } = await ctx.connector.connect(sshTargetOf(ctx, run.principal, hop), run.signal);
  try {
    await installKey(session, { key, comment, restrict });
  } finally {
    await session.close();
  }
  run.teller(index, "key")("info", `${addressOf(hop.host)} lets it on to ${place}, and runs nothing for it.`);
}

/** As far as the person's own log-ins lead: the key itself runs nothing there. What stays is told. */
export async function revokeOnTheWay(
  ctx: SshContext,
  work: MachineWork,
  {
    key,
    hops = hopsOf(ownReach(work)),
    signal = work.run.signal,
  }: { key: PublicKey; hops?: Reach[]; signal?: AbortSignal },
): Promise<void> {
  const { principal } = work.run;
  for (const hop of hops) {
    await takeOut(work, {
      key,
      where: addressOf(hop.host),
      session: async () => (await ctx.connector.connect(sshTargetOf(ctx, principal, hop), signal)).session,
      isOurs: true,
    });
  }
}

/** Never fails: whatever ended the run before is what people are told first. */
async function takeOut(
  { run, index }: MachineWork,
  {
    key,
    where,
    session: open,
    isOurs = false,
  }: { key: PublicKey; where: string; session: () => Promise<SshSession>; isOurs?: boolean },
): Promise<void> {
  const tell = run.teller(index, run.host(index).step ?? "key");
  try {
    const session = await open();
    try {
      if (await revokeKey(session, key))
        tell("done", `${showKey(key)} is taken out of authorized_keys of ${where}.`);
    } finally {
      if (isOurs) await session.close();
    }
  } catch (error) {
    const why = error instanceof SshError ? error.message : "it could not be reached";
    tell("warn", `${showKey(key)} may stay on ${where}: ${why}`);
    tell("fix", `Take the line that holds ${key.base64.slice(-20)} out of authorized_keys there.`);
  }
}

/** A network that is down says nothing about the key. */
function refusedOnly(error: unknown): false {
  if (error instanceof SshError && ["auth_failed", "remote_refused"].includes(error.failure)) return false;
  throw error;
}

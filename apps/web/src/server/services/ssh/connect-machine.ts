import type { ConnectedTarget, SshTarget } from "@nexus/ssh/connect-target";
import type { HostKeyQuestion } from "@nexus/ssh/host-keys/host-key-verifier";
import { fingerprintOf } from "@nexus/ssh/host-keys/public-key";
import type { SshSession } from "@nexus/ssh/session";
import { SshError } from "@nexus/ssh/ssh-error";
import type { Transport } from "@nexus/ssh/transports/transport";
import type { Principal } from "../ports.ts";
import type { MachineWork } from "./machine-work.ts";
import { hasCertificate, presentsCertificate, sshTargetOf } from "./reach-machine.ts";
import type { SshContext } from "./ssh-context.ts";

/**
 * Connects to the machine of a run. Where a key is new and somebody may be asked, the connection ends first and is made anew once the
 * key is confirmed: a server hangs up on who stays silent, and a person may have to walk to the machine.
 */
export async function connectMachine(ctx: SshContext, work: MachineWork): Promise<ConnectedTarget> {
  const { run, index, reach, input } = work;
  const tell = run.teller(index, "connect");
  const accepted = new Set(input.acceptHostKeys);
  const confirmed = new Map<string, Principal>();
  const keyOf = (name: string, fingerprint: string) => `${name} ${fingerprint}`;
  if (presentsCertificate(reach.credentials))
    tell("info", "A certificate came with the key: the system's ssh logs in, which presents it.");
  else if (hasCertificate(reach.credentials))
    tell("warn", "The certificate that came with the key is not shown, since a password was given.");
  for (;;) {
    let asked: HostKeyQuestion | null = null;
    const confirm = async (question: HostKeyQuestion): Promise<boolean> => {
      const { name, fingerprint } = question;
      if (confirmed.has(keyOf(name, fingerprint))) return true;
      if (accepted.has(fingerprint)) {
        tell("info", `${wordsOf(question)}, which was named beforehand.`);
        return true;
      }
      asked = question;
      return false;
    };
    const confirmedBy: typeof reach.confirmedBy = (name, key) =>
      confirmed.get(keyOf(name, fingerprintOf(key))) ?? null;
    const target = sshTargetOf(ctx, run.principal, { ...reach, confirm, confirmedBy });
    try {
      if (target.engine === "openssh") await learnHostKeys(ctx, target, run.signal);
      const connected = await ctx.connector.connect(target, run.signal);
      for (const { transport, error } of connected.failed) tell("info", `${transport} led nowhere: ${error}`);
      return connected;
    } catch (error) {
      // TypeScript does not see that the callback assigns it.
      const question = asked as HostKeyQuestion | null;
      if (question === null || !input.canAsk) throw error;
      tell("info", `${wordsOf(question)}. Nobody has confirmed it yet.`);
      const by = await run.ask(index, question);
      tell("info", by === null ? "It was not confirmed." : `It was confirmed by ${by.userName}.`);
      if (by === null) throw error;
      confirmed.set(keyOf(question.name, question.fingerprint), by);
    }
  }
}

/**
 * The system's ssh asks nobody about a new key: what can ask goes as far as the log-in first. Machines on the way may take certificates
 * too, so each is met over a session of the system's ssh to the one before it.
 */
async function learnHostKeys(ctx: SshContext, target: SshTarget, signal: AbortSignal): Promise<void> {
  const [way] = target.transports;
  if (way?.kind !== "jump") return await meetFirst(ctx, target, signal);
  let before: SshSession | undefined;
  try {
    for (const [at, hop] of way.hops.entries()) {
      const { host, port, ...login } = hop;
      const reached: Transport =
        at === 0 ? { kind: "direct", host, port } : { kind: "jump", hops: way.hops.slice(0, at), host, port };
      const itself = { ...target, ...login, transports: [reached] };
      if (before === undefined) await meetFirst(ctx, itself, signal);
      else await ctx.connector.meet(before, hop, signal);
      const { session } = await ctx.connector.connect(itself, signal);
      await before?.close();
      before = session;
    }
    const { user, verifier } = target;
    if (before !== undefined)
      await ctx.connector.meet(before, { host: way.host, port: way.port, user, verifier }, signal);
  } finally {
    await before?.close();
  }
}

async function meetFirst(ctx: SshContext, target: SshTarget, signal: AbortSignal): Promise<void> {
  try {
    const { session } = await ctx.connector.connect({ ...target, engine: "ssh2", credentials: {} }, signal);
    await session.close();
  } catch (error) {
    if (!(error instanceof SshError && error.failure === "auth_failed")) throw error;
  }
}

function wordsOf({ name, type, fingerprint }: HostKeyQuestion): string {
  return `${name} has the key ${type} ${fingerprint}`;
}

/**
 * Work on machines over SSH. Owns the runs: those under way, and ended ones for as long as somebody may look at them. Bounded: runs of a
 * team, machines at once in a run, lines of a run. A run is gone with the process; it is safe to begin it again.
 */

import type { Duplex } from "node:stream";
import { contract, type OutputOf } from "@nexus/shared/api/contract";
import type { Target } from "@nexus/shared/api/schemas";
import { type SshRunHost, type SshRun as SshRunView, sshStartSchema } from "@nexus/shared/api/ssh";
import { NexusError } from "@nexus/shared/errors";
import { newId } from "@nexus/shared/ids";
import { roleAllows } from "@nexus/shared/roles";
import { readInventory } from "@nexus/ssh/config/read-inventory";
import { type KnownHosts, NO_KNOWN_HOSTS, parseKnownHosts } from "@nexus/ssh/host-keys/known-hosts";
import { findMember } from "../../db/queries/find-member.ts";
import { findTargetSsh } from "../../db/queries/find-target-ssh.ts";
import { findTeamTarget } from "../../db/queries/find-team-target.ts";
import { listAgentlessTargets } from "../../db/queries/list-agentless-targets.ts";
import { listTargetWays } from "../../db/queries/list-target-ways.ts";
import type { Principal } from "../ports.ts";
import { recordAudit } from "../record-audit.ts";
import type { ParsedInput } from "../services.ts";
import { addAgentless } from "./add-agentless.ts";
import { enrolMachine } from "./enrol-machine.ts";
import { listHostKeys, replaceKnownKey } from "./host-key-admin.ts";
import { listWays } from "./list-ways.ts";
import type { MachineWork } from "./machine-work.ts";
import { addressOf, hostKeyNameOf, isWayOf, type Reach, sshTargetOf } from "./reach-machine.ts";
import { rotateTargetKey } from "./rotate-target-key.ts";
import type { SshContext } from "./ssh-context.ts";
import { createSshRun, type SshRun } from "./ssh-run.ts";
import { storedReach } from "./stored-reach.ts";
import { uninstallMachine } from "./uninstall-machine.ts";
import { wayOnAfter } from "./way-on-after.ts";

const RUNS_MAX = 20;
const NO_CREDENTIALS = sshStartSchema.parse({ act: "uninstall" });
const ENDED_KEEP_MS = 60 * 60_000;
/** A connection that does not end keeps nobody from stopping. */
const CLOSE_MS = 10_000;

export type SshService = ReturnType<typeof createSshService>;

type Act = {
  ofTargets: boolean;
  ofHosts: boolean;
  /** In the audit. */
  started: string;
  work(ctx: SshContext, work: MachineWork): Promise<Pick<SshRunHost, "message"> | JoinedFleet>;
};
type JoinedFleet = Pick<SshRunHost, "message" | "target">;

const ACTS: Record<ParsedInput<"ssh.start">["act"], Act> = {
  enrol: {
    ...{ ofTargets: false, ofHosts: true, started: "ssh.enrolment_started" },
    work: async (ctx, work) => joined(await enrolMachine(ctx, work)),
  },
  agentless: {
    ...{ ofTargets: false, ofHosts: true, started: "ssh.enrolment_started" },
    work: async (ctx, work) => joined(await addAgentless(ctx, work)),
  },
  uninstall: {
    ...{ ofTargets: true, ofHosts: true, started: "ssh.removal_started" },
    work: async (ctx, work) => ({ message: await uninstallMachine(ctx, work) }),
  },
  "rotate-key": {
    ...{ ofTargets: true, ofHosts: false, started: "ssh.key_rotation_started" },
    work: async (ctx, work) => ({ message: await rotateTargetKey(ctx, work) }),
  },
};

const joined = ({ id, name }: Target): JoinedFleet => ({
  target: { id, name },
  message: `${name} is connected.`,
});

type Machine = Pick<MachineWork, "host" | "reach"> & { target: { id: string; name: string } | null };

export function createSshService(ctx: SshContext) {
  const runs = new Map<string, SshRun>();
  const working = new Set<Promise<void>>();
  const { pool } = ctx;
  const unlisten = ctx.events.on("access", ({ teamId, userId }) => {
    for (const run of runs.values()) {
      const { principal } = run;
      if (principal.teamId === teamId && principal.userId === userId && !run.hasEnded())
        void stopWithoutRight(run).catch(ctx.onInternalError);
    }
  });

  /** Work goes on for as long as whoever began it may begin it. */
  async function stopWithoutRight(run: SshRun): Promise<void> {
    const { teamId, userId, userName } = run.principal;
    const member = await findMember(ctx.db, { teamId, userId });
    if (member !== null && roleAllows(member.role, contract["ssh.start"].role)) return;
    run.cancel(`It was cancelled: ${userName}, who began it, may no longer do this.`);
  }

  async function start(principal: Principal, input: ParsedInput<"ssh.start">): Promise<{ id: string }> {
    const { ofTargets, ofHosts, started } = ACTS[input.act];
    if (!ofTargets && input.targets.length > 0)
      throw new NexusError("bad_request", { detail: "What is a target already is not enrolled again." });
    if (!ofHosts && input.hosts.length > 0)
      throw new NexusError("bad_request", { detail: "Only a target has a key that is kept: name targets." });
    const known = parseKnownHosts(input.knownHosts);
    const machines = [
      ...input.hosts.map((host): Machine => ({ host, reach: reachOf(host, input, known), target: null })),
      ...(await Promise.all(input.targets.map((target) => machineOf(principal, input, { target, known })))),
    ];
    if (machines.length === 0) throw new NexusError("bad_request", { detail: "Name at least one machine." });
    forgetOld(principal.teamId);
    const startedAtMs = ctx.clock.nowMs();
    const id = newId("sshRun", ctx.randomBytes);
    const run = createSshRun({
      id,
      act: input.act,
      principal,
      addresses: machines.map(({ host }) => addressOf(host)),
      secrets: secretsOf(input),
      startedAtMs,
      nowMs: ctx.clock.nowMs,
    });
    // In the same turn as the look at the bound: whoever comes during the audit is counted too.
    runs.set(id, run);
    try {
      await recordAudit(ctx.db, principal, {
        action: started,
        subject: id,
        detail: `${machines.length} ${machines.length === 1 ? "machine" : "machines"}: ${addresses(machines)}.`,
        atMs: startedAtMs,
      });
    } catch (error) {
      runs.delete(id);
      throw error;
    }
    const work = workThrough(run, machines, input).finally(() => working.delete(work));
    working.add(work);
    return { id };
  }

  async function workThrough(
    run: SshRun,
    machines: Machine[],
    input: ParsedInput<"ssh.start">,
  ): Promise<void> {
    let next = 0;
    const worker = async () => {
      for (let index = next++; index < machines.length; index = next++) {
        const machine = machines[index];
        if (machine !== undefined) await workOn(run, index, { machine, input });
      }
    };
    await Promise.all(Array.from({ length: Math.min(input.parallel, machines.length) }, worker));
    run.end();
    await forgetStrangers(run, machines).catch(ctx.onInternalError);
    forgetLater(run.id);
  }

  /** How transports do is kept of targets alone. */
  async function forgetStrangers({ principal }: SshRun, machines: readonly Machine[]): Promise<void> {
    const ways = await listTargetWays(ctx.db, principal.teamId);
    for (const { host, reach } of machines)
      if (!ways.some(isWayOf(host))) ctx.connector.forget(sshTargetOf(ctx, principal, reach).id);
  }

  /** On its own: a timer made where the credentials are at hand would keep them for as long as it waits. */
  function forgetLater(id: string): void {
    setTimeout(() => runs.delete(id), ENDED_KEEP_MS).unref();
  }

  async function workOn(
    run: SshRun,
    index: number,
    { machine, input }: { machine: Machine; input: ParsedInput<"ssh.start"> },
  ): Promise<void> {
    const { host, reach, target } = machine;
    const work = { run, index, host, reach, input };
    try {
      await stopWithoutRight(run);
      run.signal.throwIfAborted();
      run.set(index, { state: "working", target });
      run.set(index, { state: "done", step: null, ...(await ACTS[input.act].work(ctx, work)) });
    } catch (error) {
      const isCancelled = run.signal.aborted;
      if (!(error instanceof NexusError) && !isCancelled) ctx.onInternalError(error);
      const told = isCancelled ? run.signal.reason : error;
      const message =
        told instanceof NexusError
          ? told.message
          : "Something broke on our side; the log of the control plane says what.";
      const tell = run.teller(index, run.host(index).step ?? "connect");
      tell("error", message);
      const fix = wayOnAfter(told, host);
      if (fix !== null) tell("fix", fix);
      run.set(index, { state: isCancelled ? "cancelled" : "failed", message });
    }
  }

  /** A target whose way is known, by the key that was made for it, or by what the person gives. */
  async function machineOf(
    principal: Principal,
    input: ParsedInput<"ssh.start">,
    { target: idOrName, known }: { target: string; known: KnownHosts },
  ): Promise<Machine> {
    const target = ctx.findTarget(principal.teamId, idOrName);
    const row = target === null ? null : await findTeamTarget(ctx.db, principal.teamId, target.id);
    if (target === null || row === null)
      throw new NexusError("not_found", { detail: `There is no target ${idOrName}.` });
    const way = await findTargetSsh(ctx.db, row.id);
    if (way === null) {
      throw new NexusError("invalid_state", {
        detail: `How ${target.name} is reached over SSH is not known here. On the machine: nexus-agent uninstall-service, then nexus-agent unenroll.`,
      });
    }
    const kept = storedReach(ctx.masterKey, target, way);
    const given = reachOf(kept.host, input, known);
    const keys = [...(kept.credentials.keys ?? []), ...(given.credentials.keys ?? [])];
    const reach: Reach = {
      ...given,
      credentials: { ...given.credentials, keys },
      cloudflareToken: given.cloudflareToken ?? kept.cloudflareToken,
    };
    return { host: kept.host, reach, target: { id: target.id, name: target.name } };
  }

  /** What was refused for its old key is not waited for. */
  async function serveAgain(teamId: string, hostKeyName: string): Promise<void> {
    const targets = await listAgentlessTargets(ctx.db, null);
    const isMet = (target: (typeof targets)[number]) =>
      target.teamId === teamId &&
      [target.hostKeyName, ...target.jumps.map(({ host, port }) => hostKeyNameOf({ host, port }))].includes(
        hostKeyName,
      );
    for (const { targetId } of targets.filter(isMet)) await ctx.serveAgentless(targetId);
  }

  function runOf({ teamId }: Principal, id: string): SshRun {
    const run = runs.get(id);
    if (run === undefined || run.principal.teamId !== teamId) {
      throw new NexusError("not_found", {
        detail: `There is no work ${id} (any more). It is safe to begin it again.`,
      });
    }
    return run;
  }

  function forgetOld(teamId: string): void {
    const nowMs = ctx.clock.nowMs();
    for (const [id, run] of runs) if (nowMs - (run.endedAtMs() ?? nowMs) > ENDED_KEEP_MS) runs.delete(id);
    const team = [...runs].filter(([, run]) => run.principal.teamId === teamId);
    const ended = team.filter(([, run]) => run.hasEnded());
    if (team.length - ended.length >= RUNS_MAX) {
      throw new NexusError("rate_limited", {
        detail: `${RUNS_MAX} pieces of work over SSH are under way. Wait for one to end.`,
      });
    }
    for (const [id] of ended.slice(0, Math.max(0, team.length - RUNS_MAX + 1))) runs.delete(id);
  }

  return {
    start,
    async read(
      principal: Principal,
      { id, after, waitMs }: ParsedInput<"ssh.read">,
      signal?: AbortSignal,
    ): Promise<SshRunView> {
      const run = runOf(principal, id);
      const changes = run.changes();
      const seen = run.view(after);
      if (
        waitMs === 0 ||
        seen.ended ||
        seen.lines.length > 0 ||
        seen.hosts.some(({ question }) => question !== null)
      )
        return seen;
      await run.changed(changes, waitMs, signal);
      return run.view(after);
    },
    async *watch(
      principal: Principal,
      id: string,
      signal: AbortSignal,
    ): AsyncGenerator<SshRunView & { snapshot: boolean }> {
      const run = runOf(principal, id);
      let after = 0;
      let changes = -1;
      for (let snapshot = true; !signal.aborted; snapshot = false) {
        const view = run.view(after, changes);
        changes = run.changes();
        after = view.lines.at(-1)?.seq ?? after;
        yield { ...view, snapshot };
        if (view.ended) return;
        await run.changed(changes, 2 ** 30, signal);
      }
    },
    answer(principal: Principal, { id, host, fingerprint, accept }: ParsedInput<"ssh.answer">): void {
      runOf(principal, id).answer(host, { fingerprint, accept }, principal);
    },
    cancel(principal: Principal, id: string): void {
      runOf(principal, id).cancel();
    },
    readHosts(input: ParsedInput<"ssh.readHosts">): OutputOf<"ssh.readHosts"> {
      const found = readInventory(input.text, input.format === "auto" ? undefined : input.format);
      const hosts = found.hosts.map(({ alias, host, port, user, identityFile, jump, name }) => ({
        ...{ alias, host, port: port ?? null, user: user ?? null },
        ...{ identityFile: identityFile ?? null, jump: jump ?? null },
        name: name ?? null,
      }));
      return { hosts, problems: found.problems };
    },
    /** A connection to a port on the target's own loopback, by the key that is kept for it; null when there is none. */
    async openTunnel(
      principal: Principal,
      { target, port }: { target: string; port: number },
    ): Promise<Duplex | null> {
      const machine = await machineOf(principal, NO_CREDENTIALS, { target, known: NO_KNOWN_HOSTS }).catch(
        (cause: unknown) => {
          if (cause instanceof NexusError && cause.code === "invalid_state") return null;
          throw cause;
        },
      );
      if ((machine?.reach.credentials.keys ?? []).length === 0 || machine === null) return null;
      return await pool.forwardOut(sshTargetOf(ctx, principal, machine.reach), { host: "127.0.0.1", port });
    },
    ways: (principal: Principal) => listWays(ctx, principal),
    hostKeys: (principal: Principal) => listHostKeys(ctx, principal),
    async replaceHostKey(principal: Principal, input: ParsedInput<"ssh.replaceHostKey">) {
      const replaced = await replaceKnownKey(ctx, principal, input);
      await serveAgain(principal.teamId, input.name);
      return replaced;
    },
    /** Breaks off what is under way, and waits for it, but not for ever. */
    async close(): Promise<void> {
      unlisten();
      for (const run of runs.values()) run.cancel();
      ctx.kit.close();
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, CLOSE_MS);
      await Promise.race([Promise.all(working), late]);
      clearTimeout(timer);
    },
  };
}

function reachOf(
  host: Reach["host"] & Partial<Pick<MachineWork["host"], "credentials">>,
  input: ParsedInput<"ssh.start">,
  knownHosts: KnownHosts,
): Reach {
  return {
    host,
    credentials: host.credentials ?? input.credentials,
    cloudflareToken: input.cloudflareToken,
    knownHosts,
  };
}

function secretsOf({ credentials, hosts, cloudflareToken }: ParsedInput<"ssh.start">): string[] {
  const all = [credentials, ...hosts.flatMap((host) => host.credentials ?? [])];
  return [
    ...all.flatMap(({ password, keys }) => [
      ...(password === undefined ? [] : [password]),
      ...keys.flatMap(({ text, passphrase }) => [text, ...(passphrase === undefined ? [] : [passphrase])]),
    ]),
    ...(cloudflareToken === undefined ? [] : [cloudflareToken.secret]),
  ];
}

function addresses(machines: readonly Machine[]): string {
  const shown = machines.slice(0, 20).map(({ host }) => addressOf(host));
  return machines.length > shown.length
    ? `${shown.join(", ")} and ${machines.length - shown.length} more`
    : shown.join(", ");
}

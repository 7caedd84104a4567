import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Credentials, PrivateKey } from "../auth/credentials.ts";
import type { ConnectBudget } from "../connect-budget.ts";
import { quoteWord } from "../exec/remote-command.ts";
import { assertVerifier, type HostKeyVerifier } from "../host-keys/host-key-verifier.ts";
import type { SshSession } from "../session.ts";
import { SshError } from "../ssh-error.ts";
import { tailscaleProgram } from "../transports/tailscale.ts";
import type { Transport, TransportPrograms } from "../transports/transport.ts";
import { explainSsh } from "./explain-ssh.ts";
import { createOpenSshSession } from "./openssh-session.ts";
import { type PrivateAgent, startPrivateAgent } from "./private-agent.ts";
import { type ConfigHost, sshConfigText } from "./ssh-config-text.ts";

/** What only the system's ssh can use. Paths of the operator's own files. */
export type SystemIdentity = {
  identityFiles?: readonly string[];
  certificateFiles?: readonly string[];
  gssapi?: boolean;
};

export type OpenSshOptions = {
  user: string;
  credentials: Credentials;
  identity?: SystemIdentity;
  verifier: HostKeyVerifier;
  transport: Transport;
  programs: TransportPrograms;
  budget: ConnectBudget;
  connectTimeoutMs: number;
  sshPath?: string;
};

const TARGET = "nexus-target";

/**
 * The same interface over the system's ssh, for what ssh2 cannot do: certificates of users and hosts, security keys,
 * GSSAPI, post-quantum key exchange. One master process holds the connection; every channel is a small client of it.
 * All that it needs lies in a private folder that is removed with it: a configuration, a known_hosts file with exactly
 * what the verifier trusts, the control socket, and an agent that holds the keys.
 *
 * It costs a process of some megabytes per connection and one per channel, so it is for hosts that need it. Passwords
 * and questions are left to ssh2, which can put them to a person.
 */
export async function connectOpenSsh(options: OpenSshOptions): Promise<SshSession> {
  assertVerifier(options.verifier);
  const { user, verifier, programs, budget, credentials } = options;
  const folder = await mkdtemp(join(tmpdir(), "nexus-ssh-"));
  let agent: PrivateAgent | undefined;
  const clean = async () => {
    agent?.end();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const keys = [...(credentials.keys ?? []), ...hopKeys(options.transport)];
    if (keys.length > 0)
      agent = await startPrivateAgent({ folder, keys, env: programs.env, signal: budget.signal });
    const hosts = await writeHosts(options, {
      folder,
      identityAgent: agent?.socketPath ?? credentials.agentSocket,
      certificateFiles: await writeCertificates(keys, folder),
    });
    const connectTimeoutS = Math.max(1, Math.ceil(options.connectTimeoutMs / 1000));
    const config = join(folder, "config");
    await writeFile(config, sshConfigText(hosts, connectTimeoutS), { mode: 0o600 });

    budget.enter("waiting for the system's ssh to log in");
    const control = join(folder, "control");
    const program = options.sshPath ?? "ssh";
    const args = [
      "-F",
      config,
      "-S",
      control,
      "-M",
      "-N",
      "-T",
      "-o",
      "PermitLocalCommand=yes",
      "-o",
      "LocalCommand=echo ready",
      TARGET,
    ];
    const env = { ...programs.env, ...tokenOf(options.transport) } as NodeJS.ProcessEnv;
    const master = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    let words = "";
    master.stderr.on("data", (chunk) => {
      words = (words + chunk).slice(-4000);
    });
    await new Promise<void>((resolve, reject) => {
      const giveUp = () => {
        master.kill("SIGKILL");
        reject(budget.signal.reason);
      };
      budget.signal.addEventListener("abort", giveUp, { once: true });
      if (budget.signal.aborted) giveUp();
      master.once("error", (error) => reject(new SshError("unsupported", `${program} cannot be run`, error)));
      master.once("close", () => reject(explainSsh(verifier.name, words)));
      master.stdout.once("data", () => {
        budget.signal.removeEventListener("abort", giveUp);
        resolve();
      });
    });
    const client = {
      program,
      env: { ...programs.env },
      args: ["-F", config, "-S", control],
      target: TARGET,
      folder,
    };
    const facts = {
      user,
      acceptedBy: "the system's ssh",
      hostKey: undefined,
      cipher: undefined,
      keyExchange: undefined,
    };
    return createOpenSshSession({ master, client, facts, words: () => words, clean });
  } catch (error) {
    await clean();
    throw error;
  }
}

type Place = { folder: string; identityAgent: string | undefined; certificateFiles: readonly string[] };

/** Certificates that came with keys, as the files that ssh wants. They are no secrets. */
async function writeCertificates(keys: readonly PrivateKey[], folder: string): Promise<string[]> {
  const texts = [...new Set(keys.flatMap(({ certificate }) => certificate ?? []))];
  return await Promise.all(
    texts.map(async (text, at) => {
      const file = join(folder, `certificate-${at}`);
      await writeFile(file, `${text.trim()}\n`, { mode: 0o600 });
      return file;
    }),
  );
}

/** The target and its hops, each with a known_hosts file of its own: a hop's key proves nothing about the target. */
async function writeHosts(
  options: OpenSshOptions,
  { folder, identityAgent, certificateFiles }: Place,
): Promise<ConfigHost[]> {
  const { transport, identity = {} } = options;
  const common = {
    identityAgent,
    identityFiles: identity.identityFiles ?? [],
    certificateFiles: [...(identity.certificateFiles ?? []), ...certificateFiles],
    gssapi: identity.gssapi ?? false,
    proxyCommand: undefined,
  };
  const hosts: ConfigHost[] = [];
  const add = async (
    host: Pick<ConfigHost, "alias" | "host" | "port" | "user">,
    verifier: HostKeyVerifier,
  ) => {
    const knownHostsFile = join(folder, `known-${host.alias}`);
    await writeFile(knownHostsFile, await verifier.knownHostsText(), { mode: 0o600 });
    const before = hosts.at(-1)?.alias;
    hosts.push({ ...common, ...host, hostKeyName: verifier.name, knownHostsFile, proxyJump: before });
  };
  for (const [index, hop] of (transport.kind === "jump" ? transport.hops : []).entries()) {
    await add({ alias: `nexus-hop-${index}`, host: hop.host, port: hop.port, user: hop.user }, hop.verifier);
  }
  const where =
    "port" in transport
      ? transport
      : { host: "hostname" in transport ? transport.hostname : "proxied", port: 22 };
  await add({ alias: TARGET, host: where.host, port: where.port, user: options.user }, options.verifier);
  const proxyCommand = proxyCommandOf(transport, options.programs);
  return hosts.map((host) =>
    host.alias === TARGET && proxyCommand !== undefined ? { ...host, proxyCommand } : host,
  );
}

/** ssh reads percent signs in it as tokens: ours have none left, so each is doubled. */
function proxyCommandOf(transport: Transport, programs: TransportPrograms): string | undefined {
  const argv =
    transport.kind === "tailscale"
      ? [tailscaleProgram(programs), "nc", transport.host, String(transport.port)]
      : transport.kind === "cloudflare"
        ? [programs.cloudflaredPath ?? "cloudflared", "access", "ssh", "--hostname", transport.hostname]
        : undefined;
  const command = transport.kind === "proxy_command" ? transport.command : argv?.map(quoteWord).join(" ");
  return command?.replaceAll("%", "%%");
}

function tokenOf(transport: Transport): Record<string, string> {
  if (transport.kind !== "cloudflare" || transport.serviceToken === undefined) return {};
  const { id, secret } = transport.serviceToken;
  return { TUNNEL_SERVICE_TOKEN_ID: id, TUNNEL_SERVICE_TOKEN_SECRET: secret };
}

function hopKeys(transport: Transport) {
  return transport.kind === "jump" ? transport.hops.flatMap((hop) => hop.credentials.keys ?? []) : [];
}

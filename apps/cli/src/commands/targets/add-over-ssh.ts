/** `nexus targets add user@host …`: the control plane makes targets of machines that it reaches over SSH. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import { parseDestination } from "@nexus/ssh/config/host-settings";
import type { Api } from "../../api/api.ts";
import { connect } from "../../api/connect.ts";
import { type Cli, note } from "../../cli.ts";
import { pairs } from "../../jobs/job-options.ts";
import { gatherCredentials } from "../../ssh/credentials.ts";
import { followRun, type LeftOut } from "../../ssh/follow-run.ts";
import {
  aliasesOf,
  type NamedMachine,
  type ResolvedMachine,
  resolveMachine,
} from "../../ssh/resolve-machine.ts";
import type { SshOptions } from "../../ssh/ssh-options.ts";
import { parseCount } from "../../terminal/parse-amounts.ts";
import { plain } from "../../terminal/plain.ts";

export type AddOverSshOptions = SshOptions & {
  name?: string;
  port?: string;
  jump?: string;
  transport?: string;
  legacy?: boolean;
  hosts?: string;
  sshConfig?: string;
  config: boolean;
  label?: string[];
  agentless?: boolean;
  allowRoot?: boolean;
  keepKey?: boolean;
  replaceIdentity?: boolean;
  bringNode?: boolean;
  gpus?: string;
  json?: boolean;
};

const EXIT_SOME_FAILED = 1;

export async function addOverSsh(
  cli: Cli,
  destinations: string[],
  options: AddOverSshOptions,
): Promise<void> {
  const { api } = await connect(cli);
  const { machines, leftOut } = await machinesOf(cli, api, { destinations, options });
  if (machines.length === 0) throw new NexusError("bad_request", { detail: "There is no machine in it." });
  if (options.name !== undefined && machines.length > 1)
    throw new NexusError("bad_request", {
      detail: "--name is for one machine; a list can name each of its machines.",
    });
  if (options.agentless && (options.gpus ?? options.bringNode) !== undefined)
    throw new NexusError("bad_request", {
      detail: "--gpus and --bring-node are for the agent, which --agentless does without.",
    });
  const resolved: ResolvedMachine[] = [];
  for (const machine of machines) {
    const { name = machine.name, transport } = options;
    try {
      resolved.push(await resolveMachine({ ...machine, name, transport }, { useConfig: options.config }));
    } catch (error) {
      // One of many is told, and is nothing to the others.
      if (!(error instanceof NexusError) || machines.length === 1) throw error;
      note(cli, `${plain(machine.alias)}: ${plain(error.message)} It is left out.`);
      leftOut.push({ machine: machine.alias, why: error.message });
      cli.exitCode = EXIT_SOME_FAILED;
    }
  }
  if (resolved.length === 0) throw new NexusError("bad_request", { detail: "No machine is left." });
  const usual = resolved.flatMap(({ identityFiles }) => identityFiles);
  const credentials = await gatherCredentials(cli, options, { url: api.url, usual, mayAsk: true });
  const cloudflareToken = cloudflareTokenOf(cli);
  const { id } = await api.call("ssh.start", {
    act: options.agentless ? "agentless" : "enrol",
    hosts: resolved.map(({ host }) => ({ ...host, legacy: options.legacy === true })),
    credentials,
    knownHosts: [...new Set(resolved.flatMap(({ knownHostsLines }) => knownHostsLines))].join("\n"),
    acceptHostKeys: options.acceptHostKey ?? [],
    canAsk: cli.stdin.isTTY === true && options.json !== true,
    labels: pairs(options.label ?? [], "--label"),
    allowRoot: options.allowRoot === true,
    keepKey: options.keepKey === true,
    replaceIdentity: options.replaceIdentity === true,
    bringNode: options.bringNode === true,
    ...(options.gpus === undefined ? {} : { gpus: options.gpus }),
    ...(options.parallel === undefined ? {} : { parallel: parseCount(options.parallel, "--parallel") }),
    ...(cloudflareToken === undefined ? {} : { cloudflareToken }),
  });
  await followRun(cli, api, { id, isJson: options.json === true, leftOut });
}

async function machinesOf(
  cli: Cli,
  api: Api,
  { destinations, options }: { destinations: string[]; options: AddOverSshOptions },
): Promise<{ machines: NamedMachine[]; leftOut: LeftOut[] }> {
  const port = options.port === undefined ? undefined : parseCount(options.port, "--port");
  const { jump } = options;
  const named = destinations.map((text): NamedMachine => {
    const { host, user, port: own } = parseDestination(text);
    return { alias: host, user, port: own ?? port, jump };
  });
  const matching =
    options.sshConfig === undefined
      ? []
      : aliasesOf(await readText(join(homedir(), ".ssh/config")), options.sshConfig).map((alias) => ({
          alias,
          port,
          jump,
        }));
  if (options.hosts === undefined) return { machines: [...named, ...matching], leftOut: [] };
  const text = options.hosts === "-" ? await readStdin(cli) : await readText(options.hosts);
  const { hosts, problems } = await api.call("ssh.readHosts", { text });
  const leftOut = problems.map(({ line, message }) => ({
    machine: line > 0 ? `${options.hosts}:${line}` : `${options.hosts}`,
    why: message,
  }));
  for (const { machine, why } of leftOut) note(cli, `${plain(machine)}: ${plain(why)}; left out`);
  const listed = hosts.map(
    (host): NamedMachine => ({
      // An inventory's address counts; without one its alias may be of the ssh configuration.
      alias: host.host,
      user: host.user ?? undefined,
      port: host.port ?? port,
      jump: jump ?? host.jump ?? undefined,
      calledAs: host.alias,
      name: host.name ?? undefined,
      identityFile: host.identityFile ?? undefined,
    }),
  );
  return { machines: [...named, ...matching, ...listed], leftOut };
}

/** By the names that cloudflared itself knows. */
function cloudflareTokenOf({ env }: Cli): { id: string; secret: string } | undefined {
  const { TUNNEL_SERVICE_TOKEN_ID: id, TUNNEL_SERVICE_TOKEN_SECRET: secret } = env;
  return id && secret ? { id, secret } : undefined;
}

async function readText(path: string): Promise<string> {
  return await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new NexusError("bad_request", { detail: `${path} cannot be read (${cause.code}).`, cause });
  });
}

async function readStdin(cli: Cli): Promise<string> {
  return (await import("node:stream/consumers")).text(cli.stdin);
}

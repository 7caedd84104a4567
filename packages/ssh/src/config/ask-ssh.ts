import { spawn } from "node:child_process";
import { SshError } from "../ssh-error.ts";
import { checkHost, checkUser, type HostSettings, parseJumps } from "./host-settings.ts";

export type AskOptions = {
  alias: string;
  user?: string | undefined;
  port?: number | undefined;
  /** Another file than the person's own and the system's. */
  configFile?: string;
  sshPath?: string;
};

const TIMEOUT_MS = 10_000;

/**
 * What the system's ssh makes of the operator's own configuration. No parser of ours can be as right: it knows every
 * keyword of its version, and it evaluates `Match exec`, which means that it RUNS COMMANDS of that file. So this is for
 * a person's own machine and files; text from anybody else goes to `resolveHost`, which runs nothing.
 */
export async function askSsh(options: AskOptions): Promise<HostSettings> {
  const alias = checkHost(options.alias);
  const args = [
    "-G",
    ...(options.configFile === undefined ? [] : ["-F", options.configFile]),
    ...(options.user === undefined ? [] : ["-l", checkUser(options.user)]),
    ...(options.port === undefined ? [] : ["-p", String(options.port)]),
    "--",
    alias,
  ];
  return parseSshG(await runSsh(options.sshPath ?? "ssh", args), alias);
}

/** Defaults come along too, such as the paths of identity files that may not exist. */
export function parseSshG(output: string, alias: string): HostSettings {
  const values = new Map<string, string[]>();
  for (const line of output.split("\n")) {
    const at = line.indexOf(" ");
    if (at < 0) continue;
    const keyword = line.slice(0, at);
    values.set(keyword, [...(values.get(keyword) ?? []), line.slice(at + 1)]);
  }
  const one = (keyword: string) => values.get(keyword)?.[0];
  const unless = (keyword: string, absent: string) => (one(keyword) === absent ? undefined : one(keyword));
  const timeoutS = Number(one("connecttimeout"));
  return {
    alias,
    hostName: one("hostname") ?? alias,
    port: Number(one("port")),
    user: one("user") ?? "",
    identityFiles: values.get("identityfile") ?? [],
    identitiesOnly: one("identitiesonly") === "yes",
    identityAgent: one("identityagent"),
    certificateFiles: values.get("certificatefile") ?? [],
    proxyJump: parseJumps(one("proxyjump") ?? "none"),
    proxyCommand: unless("proxycommand", "none"),
    hostKeyAlias: one("hostkeyalias"),
    userKnownHostsFiles: one("userknownhostsfile")?.split(" ") ?? [],
    connectTimeoutS: Number.isFinite(timeoutS) ? timeoutS : undefined,
  };
}

function runSsh(program: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], timeout: TIMEOUT_MS });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    child.once("error", (error) => reject(new SshError("unsupported", `${program} cannot be run`, error)));
    child.once("close", (code) => {
      if (code === 0) resolve(stdout);
      else reject(new SshError("config_invalid", `ssh cannot read its configuration: ${stderr.trim()}`));
    });
  });
}

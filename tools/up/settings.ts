import { homedir } from "node:os";
import { join, resolve } from "node:path";

export type Settings = {
  /** NEXUS_HOME: everything this machine keeps. */
  home: string;
  isDefaultHome: boolean;
  port: number;
};

const PORT = 54_323;

/** All problems at once; the values that the control plane alone reads are its own to check. */
export function readSettings(env: NodeJS.ProcessEnv): Settings | { problems: string[] } {
  const defaultHome = join(homedir(), ".nexus");
  const home = resolve(env.NEXUS_HOME || defaultHome);
  const port = Number(env.NEXUS_PORT || PORT);
  const problems: string[] = [];
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    problems.push(`NEXUS_PORT is "${env.NEXUS_PORT}"; it must be a port number, like ${PORT}.`);
  if (process.platform === "win32") problems.push("Nexus runs on Linux and macOS; on Windows use WSL.");
  return problems.length > 0 ? { problems } : { home, isDefaultHome: home === defaultHome, port };
}

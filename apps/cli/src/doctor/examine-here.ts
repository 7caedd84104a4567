import { execFile } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Cli } from "../cli.ts";
import { configPath } from "../config/cli-config.ts";
import type { Finding } from "./finding.ts";
import { type AgentFacts, judgeAgent, judgeNode, judgeSettings, judgeSsh } from "./judge-here.ts";

const run = promisify(execFile);
const SSH_MS = 5_000;

/** @param known what is wrong with the settings, and the server that they name */
export async function examineHere(
  cli: Cli,
  known: { problem: string | null; url: string | null },
): Promise<Finding[]> {
  const path = configPath(cli);
  const mode = await stat(path).then(
    (found) => found.mode,
    () => null,
  );
  const agents = await Promise.all(agentHomes(cli).map(readAgent));
  return [
    judgeNode(process.versions.node),
    judgeSettings({ path, mode, problem: known.problem }),
    judgeSsh(await sshVersion(cli)),
    ...agents.flatMap((agent) => (agent === null ? [] : [judgeAgent(agent, known.url)])),
  ];
}

/** Where an agent of this person may live: its own setting, its usual place, and that of `npm run up`. */
function agentHomes({ env, home }: Cli): string[] {
  const own = env.NEXUS_AGENT_HOME;
  const usual = [join(env.HOME || homedir(), ".nexus-agent"), join(home, "agent")];
  return [...new Set(own ? [own, ...usual] : usual)];
}

/** From the files that `nexus-agent` keeps for its own `status`; of its identity only what may be shown. */
async function readAgent(home: string): Promise<AgentFacts | null> {
  const identity = await readObject(join(home, "identity.json"));
  if (typeof identity?.name !== "string" || typeof identity.origin !== "string") return null;
  const status = await readObject(join(home, "status.json"));
  const facts = { home, name: identity.name, origin: identity.origin };
  if (typeof status?.pid !== "number" || typeof status.state !== "string" || !isAlive(status.pid))
    return { ...facts, running: null };
  const { problem } = status;
  const why =
    typeof problem === "object" && problem !== null && "message" in problem ? problem.message : null;
  return {
    ...facts,
    running: { pid: status.pid, state: status.state, problem: typeof why === "string" ? why : null },
  };
}

async function readObject(path: string): Promise<Record<string, unknown> | null> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function sshVersion({ env }: Cli): Promise<string | null> {
  try {
    // It says it on standard error.
    const { stderr, stdout } = await run("ssh", ["-V"], { env: { ...env }, timeout: SSH_MS });
    return (stderr || stdout).trim().split("\n")[0] || "there";
  } catch {
    return null;
  }
}

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { ERROR_TABLE, NexusError } from "@nexus/shared/errors";
import type { UpFile } from "@nexus/shared/up-file";
import { endedText } from "./ended-text.ts";
import { type Kept, keepRunning } from "./keep-running.ts";
import { createReinstallToken } from "./reinstall-token.ts";

export type LocalAgentOptions = {
  /** The agent's script. */
  script: string;
  home: string;
  /** Its token is given when this machine is not enrolled yet. */
  up: UpFile;
  say(line: string): void;
};

/** The name that the control plane gives the machine it runs on. */
const LOCAL_TARGET = "local";
const STOP_MS = 10_000;
/** Removed from the fleet, or too old for the server: the same again would end the same. */
const FINAL_CODES = [
  ERROR_TABLE.node_revoked.exit,
  ERROR_TABLE.needs_update.exit,
  ERROR_TABLE.forbidden.exit,
];

/** Enrols this machine as the target `local` where that is needed, and keeps its agent running. */
export async function startLocalAgent(options: LocalAgentOptions): Promise<Kept> {
  const { script, home, up, say } = options;
  const agentHome = join(home, "agent");
  const env = agentEnv(process.env, agentHome);
  // `up` run by root is root's own wish; the agent alone would ask.
  const asRoot = process.getuid?.() === 0 ? ["--allow-root"] : [];
  const isLost = up.enrollToken === undefined && !existsSync(agentHome);
  const enrollToken = isLost ? await createReinstallToken(home, up.url, LOCAL_TARGET) : up.enrollToken;
  if (enrollToken !== undefined) await enroll([script, "enroll", "-", "--yes", ...asRoot], env, enrollToken);
  const logPath = join(home, "logs", "agent.log");
  const program = { name: "agent", argv: [script, "run", ...asRoot], env, logPath };
  return keepRunning({
    program,
    finalCodes: FINAL_CODES,
    stopMs: STOP_MS,
    onEnded(ended, againMs) {
      say(endedText("The agent of this machine", program, { ended, againMs }));
    },
  });
}

/** The token goes through a pipe: arguments and environment of a process are no place for a secret. */
async function enroll(argv: string[], env: NodeJS.ProcessEnv, token: string): Promise<void> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...argv], {
    env,
    stdio: ["pipe", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (bytes: Buffer) => {
      output += bytes.toString();
    });
  child.stdin.on("error", () => undefined);
  child.stdin.end(`${token}\n`);
  const [code] = await once(child, "close");
  if (code === 0) return;
  throw new NexusError("unavailable", {
    detail: `This machine could not be enrolled (exit code ${code}):\n${output.trim()}`,
  });
}

/**
 * What jobs may see of this shell: not our settings and secrets, and not the paths that npm and we put in front.
 */
function agentEnv(env: NodeJS.ProcessEnv, agentHome: string): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(
    ([name]) => !/^(NEXUS_|npm_|DATABASE_URL$|PG[A-Z]+$|INIT_CWD$|NODE_ENV$)/.test(name),
  );
  const path = (env.PATH ?? "").split(delimiter).filter((dir) => !isPutInFront(dir));
  return {
    NODE_ENV: "production",
    ...Object.fromEntries(kept),
    PATH: path.join(delimiter),
    NEXUS_AGENT_HOME: agentHome,
    ...(env.NEXUS_GPUS === undefined ? {} : { NEXUS_GPUS: env.NEXUS_GPUS }),
  };
}

function isPutInFront(dir: string): boolean {
  if (basename(dir) === "node-gyp-bin" || dir.endsWith(join("node_modules", ".bin"))) return true;
  return dir === dirname(process.execPath) && dir.includes("node_modules");
}

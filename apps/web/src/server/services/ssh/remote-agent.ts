/** The agent's own commands, run on its machine. Nothing secret is ever an argument: the token goes by standard input. */
import { NexusError } from "@nexus/shared/errors";
import { runPastGreeting } from "@nexus/ssh/exec/run-remote";
import type { SshSession } from "@nexus/ssh/session";
import * as z from "zod";
import type { ServiceKind } from "../../core/ssh/judge-machine.ts";
import type { RemoteAgent } from "./copy-agent.ts";

const statusSchema = z.object({
  node: z.object({ nodeId: z.string(), name: z.string(), team: z.string(), origin: z.string() }),
  pid: z.int().nullable(),
  proof: z.string().optional(),
  agent: z.object({ state: z.string(), problem: z.object({ message: z.string() }).nullable() }).nullable(),
});
export type RemoteStatus = z.infer<typeof statusSchema>;

/** As the table of errors has it. */
const EXIT_NOT_FOUND = 66;
const COMMAND_MS = 120_000;
const WORDS_MAX = 2_000;

export type AgentCommands = ReturnType<typeof agentCommands>;

export function agentCommands(
  session: SshSession,
  { nodePath, scriptPath }: RemoteAgent,
  { uid, gpus, signal }: { uid: number; gpus: string | undefined; signal: AbortSignal },
) {
  // A log-in without PAM has no XDG_RUNTIME_DIR, and systemd's own commands need it.
  const env = { XDG_RUNTIME_DIR: `/run/user/${uid}`, ...(gpus === undefined ? {} : { NEXUS_GPUS: gpus }) };

  async function run(args: string[], stdin?: string) {
    const script = { what: "asking the agent", text: 'exec "$@"', args: [nodePath, scriptPath, ...args] };
    const options = { signal, timeoutMs: COMMAND_MS, env, ...(stdin === undefined ? {} : { stdin }) };
    const { code, signal: killedBy, stdout, stderr } = await runPastGreeting(session, script, options);
    return { code, killedBy, stdout: String(stdout), words: `${stderr}`.trim() || `${stdout}`.trim() };
  }

  async function must(what: string, args: string[], stdin?: string): Promise<string> {
    const { code, killedBy, stdout, words } = await run(args, stdin);
    if (code === 0) return stdout;
    throw new NexusError("invalid_state", {
      detail: `${what} failed (${code ?? killedBy}): ${words.slice(-WORDS_MAX)}`,
    });
  }

  return {
    /** Null when the machine was never enrolled. With a challenge it comes with a proof, for `askNode` to judge. */
    async status(challenge?: string): Promise<RemoteStatus | null> {
      const asked = challenge === undefined ? [] : ["--challenge", challenge];
      const { code, stdout, words } = await run(["status", "--json", ...asked]);
      if (code === EXIT_NOT_FOUND) return null;
      const parsed = code === 0 ? statusSchema.safeParse(parseJson(stdout)) : null;
      if (parsed?.success) return parsed.data;
      throw new NexusError("invalid_state", { detail: `The agent does not tell its status: ${words}` });
    },
    enroll(
      token: string,
      { isForced, allowRoot }: { isForced: boolean; allowRoot: boolean },
    ): Promise<string> {
      const flags = [...(isForced ? ["--force"] : []), ...(allowRoot ? ["--allow-root"] : [])];
      return must("Enrolling", ["enroll", "-", "--yes", ...flags], `${token}\n`);
    },
    installService(kind: ServiceKind, allowRoot: boolean): Promise<string> {
      return must("Installing the service", [
        "install-service",
        ...serviceFlags(kind),
        ...(allowRoot ? ["--allow-root"] : []),
      ]);
    },
    /** @returns false when there was none. */
    async uninstallService(kind: ServiceKind): Promise<boolean> {
      const { code, words } = await run(["uninstall-service", ...serviceFlags(kind)]);
      if (code === 0) return true;
      if (code === EXIT_NOT_FOUND) return false;
      throw new NexusError("invalid_state", {
        detail: `Removing the service failed: ${words.slice(-WORDS_MAX)}`,
      });
    },
    unenroll: (): Promise<string> => must("Leaving the fleet", ["unenroll", "--force"]),
  };
}

function serviceFlags(kind: ServiceKind): string[] {
  if (kind === "systemd-system") return ["--system"];
  return kind === "keep-running" ? ["--keep-running"] : [];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

import { runScript } from "@nexus/ssh/exec/run-remote";
import type { SshSession } from "@nexus/ssh/session";
import type { MachinePlan } from "../../core/ssh/judge-machine.ts";
import type { MachineWork } from "./machine-work.ts";
import type { AgentCommands } from "./remote-agent.ts";

const LOOK_MS = 30_000;

type Tell = (level: "info" | "done" | "skip" | "warn" | "fix", text: string) => void;
type Serving = { agent: AgentCommands; plan: MachinePlan; user: string; tell: Tell };

/** The agent is kept running by what the machine has for it. */
export async function startService(
  session: SshSession,
  { run, input }: MachineWork,
  serving: Serving,
): Promise<void> {
  const { agent, plan, user, tell } = serving;
  const before = await agent.status();
  if (before?.pid != null && (await isServiceFresh(session, run.signal))) {
    tell("skip", `The service runs the same agent already (pid ${before.pid}).`);
    return;
  }
  if (plan.service === "systemd-user") {
    const linger = { what: "keeping systemd", text: 'loginctl enable-linger "$1"', args: [user] };
    await runScript(session, linger, { signal: run.signal, timeoutMs: LOOK_MS }).then(
      () => tell("info", `systemd keeps running without a log-in of ${user}.`),
      (error: unknown) => {
        tell("warn", error instanceof Error ? error.message : String(error));
        tell("fix", `On the machine: sudo loginctl enable-linger ${user}`);
      },
    );
  }
  const said = await agent.installService(plan.service, input.allowRoot);
  for (const line of said.split("\n").filter((text) => /^(Program|Unit|An agent)/.test(text))) {
    tell("info", line.replaceAll(/\s{2,}/g, "  "));
  }
  tell("done", `The agent is kept running by ${SERVICE_TEXT[plan.service]}.`);
}

const SERVICE_TEXT = {
  "systemd-user": "systemd, for this user",
  "systemd-system": "systemd",
  launchd: "launchd",
  "keep-running": "a loop of the shell",
} as const;

/** The service runs a copy: the same one as what was brought just now? */
async function isServiceFresh(session: SshSession, signal: AbortSignal): Promise<boolean> {
  const text =
    'cd "$HOME/.nexus-agent" && if cmp -s kit/nexus-agent.js service/nexus-agent.js; then echo same; fi';
  const said = await runScript(
    session,
    { what: "looking at the service", text, args: [] },
    { signal, timeoutMs: LOOK_MS },
  );
  return said.trim() === "same";
}

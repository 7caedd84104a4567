import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Step } from "../supervisor.ts";
import type { AgentCommand, AgentSetup } from "./agent-process.ts";
import { eventually } from "./eventually.ts";

export type AgentProcess = {
  said: Record<string, unknown>[];
  send(command: AgentCommand): void;
  /** A line that has this key. */
  hears(key: string): Promise<Record<string, unknown>>;
  hearsEvent(type: "started" | "exited", attempt: string): Promise<{ pid: number }>;
  /** As `kill -9`; resolves when it is dead. */
  kill(): Promise<void>;
  died(): Promise<void>;
};

export async function startAgent(home: string, dieAt: Step | null = null): Promise<AgentProcess> {
  const setup: AgentSetup = { home, dieAt };
  const script = fileURLToPath(new URL("./agent-process.ts", import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(setup)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const said: AgentProcess["said"] = [];
  createInterface({ input: child.stdout }).on("line", (line) => said.push(JSON.parse(line)));
  child.stdin.on("error", () => undefined);
  const agent: AgentProcess = {
    said,
    send: (command) => child.stdin.write(`${JSON.stringify(command)}\n`),
    hears: (key) => eventually(`"${key}" from the agent`, () => said.find((message) => key in message)),
    hearsEvent: (type, attempt) =>
      eventually(`${type} ${attempt}`, () =>
        said.flatMap(eventsIn).find((event) => event.type === type && event.attempt === attempt),
      ),
    async kill() {
      child.kill("SIGKILL");
      await ended(child);
    },
    died: () => ended(child),
  };
  await agent.hears("ready");
  return agent;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

type SomeEvent = { type: string; attempt: string; pid: number };

function eventsIn(message: Record<string, unknown>): SomeEvent[] {
  return Array.isArray(message.events) ? message.events : [];
}

/**
 * The agent's program, from its sources, against the agents' half of a real control plane. What is behind the control plane's
 * AgentPort is a recording; all else (processes, sockets, Postgres, jobs) is real.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JobStart } from "@nexus/shared/protocol/messages";
import type { TestControlPlane } from "../../apps/web/src/server/gateway/testing/test-control-plane.ts";
import { Child } from "../harness/child.ts";

const AGENT = join(import.meta.dirname, "../../apps/agent/src/main.ts");

export type TestAgent = {
  readonly home: string;
  /** Runs a command of `nexus-agent` to its end, or leaves it running. */
  command(args: string[], options?: { input?: string; env?: Record<string, string> }): Child;
  dispose(): Promise<void>;
};

/** @param at its home, when it must be on a disk of its own. */
export async function createTestAgent(at?: string): Promise<TestAgent> {
  const home = at ?? (await mkdtemp(join(tmpdir(), "nexus-agent-")));
  const children: Child[] = [];
  return {
    home,
    command(args, options = {}) {
      const { PATH = "", HOME = home } = process.env;
      const child = new Child([process.execPath, "--disable-warning=ExperimentalWarning", AGENT, ...args], {
        env: { PATH, HOME, NEXUS_AGENT_HOME: home, NEXUS_GPUS: "none", ...options.env },
        ...(options.input === undefined ? {} : { input: options.input }),
      });
      children.push(child);
      return child;
    },
    async dispose() {
      for (const child of children) if (child.isRunning) await child.kill("SIGKILL");
      await rm(home, { recursive: true, force: true });
    },
  };
}

export async function enrolledAgent(plane: TestControlPlane, at?: string): Promise<TestAgent> {
  const agent = await createTestAgent(at);
  const { secret } = await plane.token();
  const child = agent.command(["enroll", "-", "--yes", "--allow-root"], { input: secret });
  const code = await child.exit();
  if (code !== 0) throw new Error(`enroll ended with ${code}:\n${child.stdout}${child.stderr}`);
  return agent;
}

export function shellJob(attempt: string, script: string): JobStart {
  return {
    attempt,
    fence: 1,
    job: attempt.replace("a_", "j_"),
    command: ["sh", "-c", script],
    env: {},
    cwd: null,
    gpus: [],
    timeoutMs: null,
    graceMs: 1000,
  };
}

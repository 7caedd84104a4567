/** `nexus-agent run`: the agent in the foreground, until a signal or the control plane's signed word ends it. */
import { NexusError } from "@nexus/shared/errors";
import type { Command } from "commander";
import { type Agent, createAgent } from "../agent.ts";
import { type CliContext, sayError } from "../cli-context.ts";
import type { Problem } from "../core/session.ts";
import { baseEnvironment } from "../exec/job-environment.ts";
import { readBootId } from "../host/facts.ts";
import { jobUser, loginUser, makeJobHome } from "../job-user.ts";
import { readGeneration } from "../link/generation-file.ts";
import { requireIdentity } from "../link/identity-store.ts";
import type { LinkState } from "../link/server-link.ts";
import { openStatusFile } from "../link/status-file.ts";
import { openGpuDriver } from "../open-gpu-driver.ts";
import { refuseRoot } from "../refuse-root.ts";
import { showText } from "../show-text.ts";

export function addRun(program: Command, context: CliContext): void {
  program
    .command("run")
    .description("run the agent in the foreground")
    .option("--allow-root", "let jobs run as root")
    .action((options: { allowRoot?: boolean }) =>
      runAgent(context, { allowRoot: options.allowRoot === true }),
    );
}

export async function runAgent(context: CliContext, options: { allowRoot: boolean }): Promise<void> {
  refuseRoot(context, options.allowRoot);
  const { home } = context;
  const identity = await requireIdentity(home);
  const generation = await readGeneration(home);
  const driver = await openGpuDriver(context, identity.publicKey);
  const status = openStatusFile(home);
  const log = (line: string) => sayError(context, `${new Date().toISOString()} ${showText(line)}`);
  let link: LinkState = {
    name: "connecting",
    retryInMs: null,
    problem: null,
    generation,
  };
  let sinceMs = Date.now();
  let agent: Agent | null = null;

  function writeStatus(): void {
    status.update(() => ({
      pid: process.pid,
      state: link.name,
      sinceMs,
      retryAtMs: link.retryInMs === null ? null : Date.now() + link.retryInMs,
      problem: link.problem,
      generation: link.generation,
      gpus: driver.list().length,
      gpuDriver: driver.kind,
      gpuProblem: driver.problem(),
      attempts: agent?.attempts() ?? [],
    }));
  }

  function onState(state: LinkState): void {
    if (state.name !== link.name) sinceMs = Date.now();
    if (state.name === "connected")
      log(`connected to ${identity.origin} as ${identity.name} (${identity.nodeId})`);
    if (state.name === "waiting") {
      const seconds = Math.max(1, Math.round((state.retryInMs ?? 0) / 1000));
      log(`not connected, next attempt in ${seconds} s: ${state.problem?.message ?? "the connection ended"}`);
    }
    link = state;
    writeStatus();
  }

  const user = await jobUser(loginUser(context.env), context.home);
  await makeJobHome(user);
  try {
    agent = await createAgent({
      home,
      identity,
      generation,
      agentVersion: context.version,
      bootId: await readBootId(),
      baseEnv: baseEnvironment(context.env, user),
      driver,
      onState,
      onTrouble: log,
      onAttempts: writeStatus,
      nowMs: () => performance.now(),
      random: Math.random,
    });
  } catch (error) {
    await driver.close();
    throw error;
  }
  log(`nexus-agent ${context.version} for ${identity.origin}, home ${home}, jobs run as ${user.username}`);
  if (user.homeProblem !== null) log(`jobs begin in ${user.homedir}, since ${user.homeProblem}`);
  const running = agent;
  const end = await untilEnd(context, running);
  const active = running.attempts().filter(({ state }) => state !== "exited").length;
  await running.close();
  await status.close();
  if (active > 0) {
    log(
      `${active} ${active === 1 ? "job goes" : "jobs go"} on running; the next start of the agent takes them over`,
    );
  }
  if (end !== null) throw new NexusError(end.code, { detail: end.message });
}

/** @returns why the control plane ended it; null after a signal. */
async function untilEnd(context: CliContext, agent: Agent): Promise<Problem | null> {
  const signalled = new Promise<null>((resolve) => {
    context.onSignal(["SIGTERM", "SIGINT", "SIGHUP"], (name) => {
      sayError(context, `${new Date().toISOString()} ${name}: closing the link`);
      resolve(null);
    });
  });
  agent.start();
  return await Promise.race([signalled, agent.finished]);
}

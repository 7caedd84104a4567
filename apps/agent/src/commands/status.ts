/** `nexus-agent status`: who this node is and how its agent fares, from what lies in the home; asks no server. */
import { keyPin, showPin } from "@nexus/shared/crypto/fingerprint";
import type { Command } from "commander";
import { type CliContext, say } from "../cli-context.ts";
import { tunnelsText } from "../core/node-policy.ts";
import { probeHome } from "../exec/home-health.ts";
import { readGeneration } from "../link/generation-file.ts";
import { requireIdentity } from "../link/identity-store.ts";
import { readStatus } from "../link/status-file.ts";
import { runningAgent } from "../running-agent.ts";
import { showText } from "../show-text.ts";
import { readPolicies } from "../tunnel/read-policies.ts";

export function addStatus(program: Command, context: CliContext): void {
  program
    .command("status")
    .description("show this node's identity and the state of its agent")
    .option("--json", "as JSON")
    .action((options: { json?: boolean }) => showStatus(context, options.json === true));
}

async function showStatus(context: CliContext, isJson: boolean): Promise<void> {
  const identity = await requireIdentity(context.home);
  const pid = await runningAgent(context.home);
  const found = pid === null ? null : await readStatus(context.home);
  const { nodeId, name, team, origin, enrolledAt } = identity;
  const generation = await readGeneration(context.home);
  const node = {
    nodeId,
    name,
    team,
    origin,
    generation,
    enrolledAt,
    identity: showPin(keyPin(identity.serverKey)),
  };
  if (isJson) {
    say(
      context,
      JSON.stringify({ home: context.home, node, running: pid !== null, pid, agent: found }, null, 2),
    );
    return;
  }
  say(context, `Node           ${showText(name)} (${nodeId}) in ${showText(team)}`);
  say(context, `Control plane  ${origin}`);
  say(context, `  identity     ${node.identity}`);
  say(context, `Home           ${context.home}`);
  say(context, `Tunnels        ${showText(tunnelsText(await readPolicies(context.home)))}`);
  if (pid === null) {
    say(context, "Agent          not running. Start it: nexus-agent run, or nexus-agent install-service");
    return;
  }
  say(context, `Agent          running, pid ${pid}`);
  if (found === null) return;
  say(context, `Connection     ${connectionText(found)}`);
  // Asked of the disk itself: a full one took no word of the agent.
  const fault = probeHome(context.home);
  if (fault !== null) say(context, `Starts         refused: ${showText(fault.message)}`);
  const trouble = found.gpuProblem === null ? "" : ` (${showText(found.gpuProblem)})`;
  say(context, `GPUs           ${found.gpus} ${found.gpuDriver}${trouble}`);
  say(context, `Jobs here      ${found.attempts.length}`);
  for (const { attempt, state } of found.attempts) say(context, `  ${attempt}  ${state}`);
}

function connectionText(status: NonNullable<Awaited<ReturnType<typeof readStatus>>>): string {
  const since = `since ${new Date(status.sinceMs).toISOString()}`;
  const because = status.problem === null ? "" : `: ${showText(status.problem.message)}`;
  if (status.state !== "waiting" || status.retryAtMs === null) return `${status.state} ${since}${because}`;
  const seconds = Math.max(0, Math.round((status.retryAtMs - Date.now()) / 1000));
  return `not connected ${since}, next attempt in ${seconds} s${because}`;
}

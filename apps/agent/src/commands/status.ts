/** `nexus-agent status`: who this node is and how its agent fares, from what lies in the home; asks no server. */
import { signText } from "@nexus/shared/crypto/ed25519";
import { keyPin, showPin } from "@nexus/shared/crypto/fingerprint";
import { NexusError } from "@nexus/shared/errors";
import { nodeProofTranscript } from "@nexus/shared/protocol/handshake";
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

const CHALLENGE = /^[\w-]{20,100}$/;

export function addStatus(program: Command, context: CliContext): void {
  program
    .command("status")
    .description("show this node's identity and the state of its agent")
    .option("--json", "as JSON")
    .option("--challenge <text>", "as JSON, with a proof by this node's key that answers this text")
    .action((options: StatusOptions) => showStatus(context, options));
}

type StatusOptions = { json?: boolean; challenge?: string };

async function showStatus(context: CliContext, { json: isJson, challenge }: StatusOptions): Promise<void> {
  if (challenge !== undefined && !CHALLENGE.test(challenge)) {
    throw new NexusError("bad_request", { detail: "A challenge is 20 to 100 letters, digits, - and _." });
  }
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
  if (isJson || challenge !== undefined) {
    const text = challenge === undefined ? undefined : nodeProofTranscript({ nodeId, challenge });
    const proof = text === undefined ? {} : { proof: signText(identity.seed, text) };
    const status = { home: context.home, node, running: pid !== null, pid, agent: found, ...proof };
    say(context, JSON.stringify(status, null, 2));
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

import type { Target } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import type { MachineWork } from "./machine-work.ts";
import type { AgentCommands } from "./remote-agent.ts";
import type { SshContext } from "./ssh-context.ts";

const ONLINE_MS = 60_000;

/** @throws NexusError when it does not connect in time, with what its agent says about that. */
export async function untilOnline(
  ctx: SshContext,
  { run, index }: MachineWork,
  { agent, target }: { agent: AgentCommands | null; target: Target },
): Promise<Target> {
  const { teamId } = run.principal;
  const limit = AbortSignal.any([run.signal, AbortSignal.timeout(ONLINE_MS)]);
  const { promise, resolve } = Promise.withResolvers<void>();
  const isOnline = () => ctx.findTarget(teamId, target.id)?.state === "connected";
  const unlisten = ctx.events.on("target", (event) => {
    if (event.target === target.id && isOnline()) resolve();
  });
  limit.addEventListener("abort", () => resolve(), { once: true });
  try {
    if (!isOnline() && !limit.aborted) await promise;
  } finally {
    unlisten();
  }
  const now = ctx.findTarget(teamId, target.id);
  if (now?.state === "connected") {
    run.teller(index, "online")("done", `${now.name} is connected.`);
    return now;
  }
  run.signal.throwIfAborted();
  if (agent === null) {
    throw new NexusError("target_offline", {
      detail: `${target.name} was added and is not served yet; the log of the control plane says why.`,
    });
  }
  const status = await agent.status();
  const why =
    status?.pid == null
      ? "its agent does not run"
      : (status.agent?.problem?.message ?? `its agent is ${status.agent?.state ?? "starting"}`);
  throw new NexusError("target_offline", {
    detail: `${target.name} is enrolled and did not connect within ${ONLINE_MS / 1000} s: ${why}. Its log: ~/.nexus-agent/agent.log, or journalctl --user -u nexus-agent.`,
  });
}

/** What a target without an agent keeps on its machine goes when the machine is given back: of its own runs, those that are over. */
import { forgetBackground, listBackground } from "@nexus/ssh/background/background-run";
import { runScript } from "@nexus/ssh/exec/run-remote";
import type { SshSession } from "@nexus/ssh/session";
import type { Database } from "../../../db/database.ts";
import { listTargetAttempts } from "../../../db/queries/list-target-attempts.ts";
import type { Teller } from "../ssh-run.ts";
import { readRunId } from "./run-id.ts";

const REMOVE_MS = 60_000;
/** The look at a machine makes the agent's folder; what is not empty stays. */
const REMOVE_EMPTY = `cd "$HOME" && for folder in .nexus/ssh-runs .nexus .nexus-agent/kit .nexus-agent; do rmdir "$folder" 2>/dev/null; done; true`;

/** @returns whether nothing stays. */
export async function tidyRuns(
  session: SshSession,
  { db, targetId, tell, signal }: { db: Database; targetId: number; tell: Teller; signal: AbortSignal },
): Promise<boolean> {
  const runs = [...(await listBackground(session))];
  const attempts = runs.flatMap(([id]) => readRunId(id)?.attempt ?? []);
  const ours = new Set(await listTargetAttempts(db, targetId, attempts));
  const isOurs = (id: string) => ours.has(readRunId(id)?.attempt ?? "");
  const running = runs.filter(
    ([id, { state }]) => isOurs(id) && (state === "running" || state === "starting"),
  );
  const over = runs.filter(([id, { state }]) => isOurs(id) && (state === "exited" || state === "lost"));
  for (const [id] of over) await forgetBackground(session, id);
  if (over.length > 0) tell("done", `${countOf(over, "ended job")} left a log there, which is removed.`);
  for (const [id] of running)
    tell("warn", `A job still runs there; its folder stays: ~/.nexus/ssh-runs/${id}`);
  const others = runs.filter(([id]) => !isOurs(id));
  if (others.length > 0) {
    const stay = others.length === 1 ? "stays" : "stay";
    tell(
      "warn",
      `${countOf(others, "run")} of another target or control plane ${stay} in ~/.nexus/ssh-runs.`,
    );
  }
  const removing = { what: "removing files", text: REMOVE_EMPTY, args: [] };
  await runScript(session, removing, { signal, timeoutMs: REMOVE_MS });
  return running.length === 0 && others.length === 0;
}

const countOf = (list: readonly unknown[], what: string) =>
  `${list.length} ${what}${list.length === 1 ? "" : "s"}`;

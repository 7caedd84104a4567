import { runScript } from "@nexus/ssh/exec/run-remote";
import type { Runner } from "@nexus/ssh/session";

/** Of the control plane's clock, written into the run when it was begun; null where it was not. */
export type RunTimes = { startedAtMs: number | null; deadlineMs: number | null; graceMs: number | null };

const SCRIPT = `
cd "$HOME/.nexus/ssh-runs" 2>/dev/null || exit 0
for id in "$@"; do
  sed -n "s/^export NEXUS_\\(STARTED\\|DEADLINE\\|GRACE\\)_MS='\\([0-9]*\\)'$/$id \\1 \\2/p" "$id/run.sh" 2>/dev/null
done
`;
const ID = /^[A-Za-z0-9_-]+$/;

/** So that a deadline is kept by whoever comes next. */
export async function readRunTimes(runner: Runner, ids: readonly string[]): Promise<Map<string, RunTimes>> {
  const args = ids.filter((id) => ID.test(id));
  const times = new Map<string, RunTimes>();
  if (args.length === 0) return times;
  const text = await runScript(runner, { what: "reading the times of runs", text: SCRIPT, args });
  for (const line of text.split("\n")) {
    const [id = "", name, value] = line.split(" ");
    const known = times.get(id) ?? { startedAtMs: null, deadlineMs: null, graceMs: null };
    if (name === "STARTED") known.startedAtMs = Number(value);
    if (name === "DEADLINE") known.deadlineMs = Number(value);
    if (name === "GRACE") known.graceMs = Number(value);
    if (id !== "") times.set(id, known);
  }
  return times;
}

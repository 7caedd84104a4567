import type { Runner } from "../session.ts";
import { SshError } from "../ssh-error.ts";
import { collectOutput } from "./collect-output.ts";
import { MARK_VARIABLE } from "./remote-command.ts";

/**
 * Ends every process that carries a mark, also those that left the session or the process group. TERM first; after the
 * grace KILL, again and again until a look finds nothing, since a process may fork between the look and the signal.
 *
 * Looks through /proc where there is one. Elsewhere asks `ps`, which shows the environment of the user's own processes.
 * A process that cleared its environment is not found.
 */
const SCRIPT = `
variable=$1 mark=$2 grace=$3 look=$4
# "ask" for the grace: only the first, polite signal.
if [ "$look" != ps ] && [ -r /proc/self/environ ]; then look=proc; else look=ps; fi
find_marked() {
  if [ "$look" = proc ]; then
    found=$(cd /proc && grep -lF "$variable=$mark" [0-9]*/environ 2>/dev/null | sed 's,/.*,,')
  else
    # The script names variable and mark apart, so that neither it nor its pipes look marked.
    found=$(ps axeww -o pid= -o args= 2>/dev/null | awk -v wanted="$variable" -v mark="$mark" '
      { split($0, words); for (i in words) if (words[i] == wanted "=" mark) { print $1; break } }')
  fi
}
alive() {
  living=
  for pid in $found; do
    if [ "$look" = proc ]; then
      read -r stat 2>/dev/null <"/proc/$pid/stat" || continue
      case "\${stat##*)}" in " Z "*) continue ;; esac
    fi
    living="$living $pid"
  done
}
find_marked; alive
seen=$living
[ -z "$living" ] || kill -TERM $living 2>/dev/null
if [ "$grace" = ask ]; then echo "seen" $seen; echo "left" $living; exit; fi
tenths=0
while find_marked; alive; [ -n "$living" ] && [ "$tenths" -lt "$grace" ]; do
  sleep 0.1 2>/dev/null || sleep 1
  tenths=$((tenths + 1))
done
rounds=0
while [ -n "$living" ] && [ "$rounds" -lt 50 ]; do
  kill -KILL $living 2>/dev/null
  [ "$rounds" -lt 5 ] || sleep 0.1 2>/dev/null || sleep 1
  rounds=$((rounds + 1))
  find_marked; alive
done
echo "seen" $seen
echo "left" $living
`;

const REPORT_BYTES_MAX = 1024 * 1024;

export type KillReport = { seenPids: number[]; leftPids: number[] };

export type KillOptions = {
  graceMs: number;
  /** For tests: the way of machines without /proc. */
  look?: "proc" | "ps";
};

export async function killTree(session: Runner, mark: string, options: KillOptions): Promise<KillReport> {
  return await signalTree(session, mark, [String(Math.ceil(options.graceMs / 100)), options.look ?? "any"]);
}

/** The polite signal alone, at once: for who waits out the grace without holding a channel for it. */
export async function askTree(session: Runner, mark: string): Promise<KillReport> {
  return await signalTree(session, mark, ["ask", "any"]);
}

async function signalTree(session: Runner, mark: string, words: string[]): Promise<KillReport> {
  const args = [MARK_VARIABLE, mark, ...words];
  const { code, stdout, stderr } = await collectOutput(
    await session.exec({ argv: ["sh", "-c", SCRIPT, "nexus", ...args] }),
    { bytesMax: REPORT_BYTES_MAX, onExcess: () => undefined },
  );
  const report = new Map(
    stdout
      .toString("utf8")
      .split("\n")
      .map((line) => line.split(" "))
      .map(([name = "", ...pids]) => [name, pids.map(Number).filter((pid) => pid > 0)] as const),
  );
  const seenPids = report.get("seen");
  const leftPids = report.get("left");
  if (code !== 0 || seenPids === undefined || leftPids === undefined) {
    throw new SshError(
      "remote_refused",
      `The processes could not be ended: ${stderr.toString("utf8").trim()}`,
    );
  }
  return { seenPids, leftPids };
}

import { MARK_VARIABLE } from "../exec/remote-command.ts";
import { runScript } from "../exec/run-remote.ts";
import type { SshSession } from "../session.ts";

/**
 * Memory of a process and of all that belongs to it: its descendants, and every process that carries its mark, which
 * finds those whose parents have ended. One look, one command; `ps` gives the table, /proc the shares where it may.
 *
 * RSS counts a page that processes share once for each; PSS shares it out, and is what the tree really takes.
 */
export type TreeMemory = {
  processes: ProcessMemory[];
  rssKib: number;
  /** Undefined when the machine does not tell it for every process. */
  pssKib: number | undefined;
};

export type ProcessMemory = {
  pid: number;
  ppid: number;
  rssKib: number;
  pssKib: number | undefined;
  command: string;
};

export type TreeRoot = { pid?: number; mark?: string };

const SCRIPT = `
mark=$2
ps -eo pid= -o ppid= -o rss= -o comm= | sed 's/^/p /'
for folder in /proc/[0-9]*; do
  if share=$(grep '^Pss:' "$folder/smaps_rollup" 2>/dev/null); then echo "s \${folder#/proc/} \${share#Pss:}"; fi
done
if [ -n "$mark" ]; then (cd /proc 2>/dev/null && grep -lF "$1=$mark" [0-9]*/environ 2>/dev/null | sed 's,^,m ,; s,/.*,,'); fi
true
`;

export async function readTreeMemory(session: SshSession, root: TreeRoot): Promise<TreeMemory> {
  const args = [MARK_VARIABLE, root.mark ?? ""];
  const text = await runScript(session, { what: "reading memory", text: SCRIPT, args });
  return sumTree(text, root);
}

/** Pure, for the table as the script prints it. */
export function sumTree(text: string, root: TreeRoot): TreeMemory {
  const table = new Map<number, ProcessMemory>();
  const shares = new Map<number, number>();
  const wanted = new Set<number>(root.pid === undefined ? [] : [root.pid]);
  for (const line of text.split("\n")) {
    const [kind, pid, second, rss, ...command] = line.trim().split(/\s+/);
    if (kind === "p") {
      const entry = {
        pid: Number(pid),
        ppid: Number(second),
        rssKib: Number(rss),
        command: command.join(" "),
      };
      table.set(entry.pid, { ...entry, pssKib: undefined });
    } else if (kind === "s") {
      shares.set(Number(pid), Number(second));
    } else if (kind === "m") {
      wanted.add(Number(pid));
    }
  }
  const children = Map.groupBy(table.values(), (entry) => entry.ppid);
  // A set grows while it is walked: descendants of descendants come along.
  for (const pid of wanted) for (const child of children.get(pid) ?? []) wanted.add(child.pid);
  const processes = [...wanted]
    .flatMap((pid) => table.get(pid) ?? [])
    .map((entry) => ({ ...entry, pssKib: shares.get(entry.pid) }))
    .sort((one, other) => other.rssKib - one.rssKib);
  const isShared = processes.every((entry) => entry.pssKib !== undefined);
  return {
    processes,
    rssKib: processes.reduce((sum, entry) => sum + entry.rssKib, 0),
    pssKib: isShared ? processes.reduce((sum, entry) => sum + (entry.pssKib ?? 0), 0) : undefined,
  };
}

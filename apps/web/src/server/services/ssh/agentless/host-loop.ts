/**
 * The one resident loop on a machine without an agent: what it is, once, then its samples, over one channel. nvidia-smi itself stays
 * and writes a row a GPU and round; nothing is started a sample but the list of GPU processes. It ends with its channel.
 */
import type { GpuSample, HostFacts, HostSample } from "@nexus/shared/protocol/messages";
import type { RemoteProcess, Runner } from "@nexus/ssh/session";
import {
  APP_FIELDS,
  type AppRow,
  GPU_FIELDS,
  type GpuRow,
  readAppRow,
  readGpuRow,
  readHostFacts,
  readHostSample,
} from "../../../core/ssh/read-host.ts";

export type HostRound = { gpus: GpuSample[]; host: HostSample };
export type HostLoop = {
  facts: HostFacts;
  gpus: GpuRow["facts"][];
  /** Called with every sample, and at once with the newest one. */
  onRound(listener: (round: HostRound) => void): void;
  /** Resolves with why the loop is over: its connection was cut, or the machine ended it. */
  ended: Promise<string>;
  close(): void;
};

const ROUND_S = 5;
const LINE_CHARS_MAX = 64 * 1024;
const ATTEMPT = /^a_[0-9a-z]{1,32}$/;

/** `$1` fields of GPUs, `$2` of processes, `$3` seconds. */
const SCRIPT = `
# What the log-in said before may stand in this line.
echo
set -u
PATH=$PATH:/usr/sbin:/sbin:/usr/local/cuda/bin
say() { printf 'fact %s %s\\n' "$1" "$2"; }
say kind "$(uname -s)"; say kernel "$(uname -r)"; say arch "$(uname -m)"
say hostname "$(uname -n)"
say os "$(sed -n 's/^PRETTY_NAME="\\{0,1\\}\\([^"]*\\)"\\{0,1\\}$/\\1/p' /etc/os-release 2>/dev/null)"
say cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)"
say cpus "$(getconf _NPROCESSORS_ONLN 2>/dev/null)"
say memory "$(sed -n 's/^MemTotal: *\\([0-9]*\\).*/\\1/p' /proc/meminfo 2>/dev/null)"
say user "$(id -un)"; say boot "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
smi=
if command -v nvidia-smi >/dev/null 2>&1; then
  if rows=$(nvidia-smi --query-gpu="$1" --format=csv,noheader,nounits 2>&1); then
    smi=1
    printf '%s\\n' "$rows" | sed 's/^/first /'
  else
    say gpu_problem "$(printf '%s' "$rows" | head -n 1)"
  fi
fi
echo ready
if [ -n "$smi" ]; then
  nvidia-smi --query-gpu="$1" --format=csv,noheader,nounits -lms "$(($3 * 1000))" 2>/dev/null | awk '{ print "gpu " $0; fflush() }' &
fi
while :; do
  if [ -n "$smi" ]; then
    nvidia-smi --query-compute-apps="$2" --format=csv,noheader,nounits 2>/dev/null | while IFS=, read -r uuid pid others; do
      pid=\${pid# }
      attempt=$(tr '\\0' '\\n' 2>/dev/null <"/proc/$pid/environ" | sed -n 's/^NEXUS_ATTEMPT_ID=//p' | head -n 1)
      echo "who $pid $(stat -c %U "/proc/$pid" 2>/dev/null || echo -) \${attempt:--}"
      echo "app $uuid, $pid,$others"
    done
  fi
  set -- "$1" "$2" "$3" "$(cut -d' ' -f1 /proc/loadavg 2>/dev/null)" "$(awk '/^MemTotal/ { t = $2 } /^MemAvailable/ { a = $2 } END { print t - a, t }' /proc/meminfo 2>/dev/null)" "$(df -Pk "$HOME" 2>/dev/null | awk 'NR == 2 { print $4 }')"
  echo "host $4 $5 $6" || exit
  sleep "$3"
done
`;

export async function startHostLoop(runner: Runner): Promise<HostLoop> {
  const args = [GPU_FIELDS.join(","), APP_FIELDS.join(","), String(ROUND_S)];
  const child = await runner.exec({ argv: ["sh", "-c", SCRIPT, "nexus", ...args] });
  const facts: string[] = [];
  const rows = new Map<string, GpuRow>();
  let apps: AppRow[] = [];
  let owners = new Map<number, { user: string | null; attempt: string | null }>();
  let newest: HostRound | null = null;
  let listener: (round: HostRound) => void = () => undefined;
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
  child.exited.then(() => reject(new Error("the machine's loop ended")), reject);
  child.stderr.resume();

  eachLine(child, (line) => {
    const at = line.indexOf(" ");
    const [word, rest] = at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
    if (word === "fact") facts.push(rest);
    else if (word === "first" || word === "gpu") {
      const row = readGpuRow(rest);
      if (row !== null) rows.set(row.facts.uuid, row);
    } else if (word === "app") {
      const row = readAppRow(rest);
      if (row !== null) apps.push(row);
    } else if (word === "who") {
      const [pid, user, attempt] = rest.split(" ");
      owners.set(Number(pid), {
        user: unless(user),
        attempt: ATTEMPT.test(attempt ?? "") ? (attempt ?? null) : null,
      });
    } else if (word === "ready") resolve();
    else if (word === "host") {
      newest = {
        host: readHostSample(rest),
        gpus: [...rows.values()].map((row) => sampleOf(row, apps, owners)),
      };
      listener(newest);
      apps = [];
      owners = new Map();
    }
  });
  await ready;
  return {
    facts: readHostFacts(facts, [...rows.values()]),
    gpus: [...rows.values()].map((row) => row.facts),
    onRound(next) {
      listener = next;
      if (newest !== null) next(newest);
    },
    ended: child.exited.then(
      () => "the machine ended the loop that watches it",
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    ),
    close: () => child.close(),
  };
}

type Owners = ReadonlyMap<number, { user: string | null; attempt: string | null }>;

/** Whose process it is says the marker in its environment, where that may be read. */
function sampleOf({ sample }: GpuRow, apps: readonly AppRow[], owners: Owners): GpuSample {
  const processes = apps
    .filter(({ uuid }) => uuid === sample.uuid)
    .map(({ pid, memoryMib, command }) => {
      const { user = null, attempt = null } = owners.get(pid) ?? {};
      return { pid, memoryMib, command, user, attempt };
    });
  return { ...sample, processes };
}

function unless(word: string | undefined): string | null {
  return word === undefined || word === "-" ? null : word;
}

function eachLine(child: RemoteProcess, take: (line: string) => void): void {
  let rest = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = (lines.pop() ?? "").slice(0, LINE_CHARS_MAX);
    for (const line of lines) take(line);
  });
}

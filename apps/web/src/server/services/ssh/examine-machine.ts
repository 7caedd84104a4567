import { runScript } from "@nexus/ssh/exec/run-remote";
import type { SshSession } from "@nexus/ssh/session";
import type { MachineFacts } from "../../core/ssh/judge-machine.ts";

/** What lies in the agent's folder already. */
export type FoundKit = { scriptSha256: string | null; nodeSha256: string | null };
export type Examined = {
  facts: MachineFacts;
  kit: FoundKit;
  /** Whether an agent of any make enrolled with the agent's usual home. */
  hasIdentity: boolean;
};

/** Below the home: of the agent, and of jobs where there is none. */
const FOLDERS = { agent: ".nexus-agent/kit", jobs: ".nexus/ssh-runs" } as const;
const EXAMINE_MS = 60_000;

/**
 * One look at everything, in one command, changing nothing but the folder that is written to later, which is made. That one comes as
 * first argument, then addresses, three words each: origin, host, port.
 */
const SCRIPT = `
set -u
PATH=$PATH:/usr/sbin:/sbin:/usr/local/cuda/bin
say() { printf '%s %s\\n' "$1" "$2"; }
first() { printf '%s' "$1" | head -n 1; }
has() { command -v "$1" >/dev/null 2>&1; }
say os "$(uname -s)"
say arch "$(uname -m)"
say user "$(id -un)"
say uid "$(id -u)"
say home "$HOME"
kit=$HOME/$1
shift
if (umask 077; mkdir -p "$kit" && : >"$kit/.probe") 2>/dev/null; then rm -f "$kit/.probe"; say writable 1; fi
if [ -e "$HOME/.nexus-agent/identity.json" ]; then say identity 1; fi
say disk "$(df -Pk "$HOME" 2>/dev/null | awk 'NR == 2 { print $4 }')"
say libc "$(getconf GNU_LIBC_VERSION 2>/dev/null || first "$(ldd --version 2>&1)")"
for node in "$(command -v node 2>/dev/null)" "$HOME"/.nvm/versions/node/*/bin/node; do
  case $node in /*) if [ -x "$node" ]; then say node "$("$node" --version 2>/dev/null) $node"; fi ;; esac
done
if has nvidia-smi; then
  if list=$(timeout 20 nvidia-smi -L 2>&1); then say gpus "$(printf '%s\\n' "$list" | grep -c '^GPU')"; else say gpu_problem "$(first "$list")"; fi
fi
if [ -d /run/systemd/system ]; then say systemd 1; fi
if XDG_RUNTIME_DIR="\${XDG_RUNTIME_DIR:-/run/user/$(id -u)}" systemctl --user show-environment >/dev/null 2>&1; then say user_systemd 1; fi
if [ -e "/var/lib/systemd/linger/$(id -un)" ]; then say linger 1; fi
if has crontab; then say cron 1; fi
if has gzip; then say gzip 1; fi
if has sha256sum; then sum=sha256sum; elif has shasum; then sum='shasum -a 256'; else sum=; fi
if [ -n "$sum" ]; then
  say sum 1
  if [ -f "$kit/nexus-agent.js" ]; then say kit_script "$($sum <"$kit/nexus-agent.js" | cut -d' ' -f1)"; fi
  if [ -f "$kit/node" ]; then say kit_node "$($sum <"$kit/node" | cut -d' ' -f1)"; fi
fi
say now "$(date +%s)"
say files "$(ulimit -n)"
say processes "$(ulimit -u 2>/dev/null || echo unlimited)"
reach() {
  if has curl; then curl -ks -o /dev/null -m 8 "$1/healthz"; code=$?
  elif has wget; then wget -q -T 8 -t 1 --no-check-certificate -O /dev/null "$1/healthz"; code=$?
  elif has bash; then timeout 8 bash -c ': <"/dev/tcp/$1/$2"' bash "$2" "$3" 2>/dev/null; code=$?
  else code=unknown
  fi
  say reach "$4 $code $1"
}
at=0
while [ $# -ge 3 ]; do
  at=$((at + 1))
  reach "$1" "$2" "$3" "$at" &
  shift 3
done
wait
`;

/** @throws SshError when the machine does not run our command but one of its own. */
export async function examineMachine(
  session: SshSession,
  {
    origins,
    folder,
    signal,
  }: { origins: readonly string[]; folder: keyof typeof FOLDERS; signal: AbortSignal },
): Promise<Examined> {
  const args = origins.flatMap((origin) => {
    const { hostname, port, protocol } = new URL(origin);
    return [origin, hostname.replace(/^\[|\]$/g, ""), port || (protocol === "https:" ? "443" : "80")];
  });
  const script = { what: "looking at the machine", text: SCRIPT, args: [FOLDERS[folder], ...args] };
  return readAnswers(await runScript(session, script, { signal, timeoutMs: EXAMINE_MS }));
}

/** Pure, for the lines as the script prints them. */
function readAnswers(text: string): Examined {
  const answers = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const at = line.indexOf(" ");
    if (at < 0) continue;
    const key = line.slice(0, at);
    answers.set(key, [...(answers.get(key) ?? []), line.slice(at + 1).trim()]);
  }
  const one = (key: string) => answers.get(key)?.[0] ?? "";
  const count = (key: string) => (/^\d+$/.test(one(key)) ? Number(one(key)) : null);
  const facts: MachineFacts = {
    os: one("os"),
    arch: one("arch"),
    user: one("user"),
    uid: count("uid") ?? -1,
    home: one("home"),
    isHomeWritable: one("writable") === "1",
    diskFreeKib: count("disk"),
    libc: one("libc"),
    nodes: (answers.get("node") ?? []).flatMap((line) => {
      const [, version, path] = /^v(\S+) (\/.+)$/.exec(line) ?? [];
      return version === undefined || path === undefined ? [] : [{ version, path }];
    }),
    gpuCount: count("gpus"),
    gpuProblem: one("gpu_problem") || null,
    hasSystemd: one("systemd") === "1",
    hasUserSystemd: one("user_systemd") === "1",
    isLingering: one("linger") === "1",
    hasCron: one("cron") === "1",
    hasSha256: one("sum") === "1",
    hasGzip: one("gzip") === "1",
    epochS: count("now"),
    openFilesMax: count("files"),
    processesMax: count("processes"),
    // They were asked all at once, and answered as they came; the order is that of the addresses.
    reach: (answers.get("reach") ?? [])
      .toSorted((one, other) => Number.parseInt(one, 10) - Number.parseInt(other, 10))
      .map((line) => {
        const [, code, origin = ""] = line.split(" ");
        // A server that is not ready yet, or refuses, answers all the same: 8 is wget's word for it.
        return { origin, isReached: code === "unknown" ? null : code === "0" || code === "8" };
      }),
  };
  const kit = { scriptSha256: one("kit_script") || null, nodeSha256: one("kit_node") || null };
  return { facts, kit, hasIdentity: one("identity") === "1" };
}

/** What was found out about a machine before anything was put on it, and what follows. Pure. */

export type MachineFacts = {
  os: string;
  arch: string;
  user: string;
  uid: number;
  home: string;
  isHomeWritable: boolean;
  diskFreeKib: number | null;
  /** `glibc 2.36`, `musl`, or what the machine says. */
  libc: string;
  nodes: { version: string; path: string }[];
  gpuCount: number | null;
  gpuProblem: string | null;
  hasSystemd: boolean;
  hasUserSystemd: boolean;
  isLingering: boolean;
  hasCron: boolean;
  hasSha256: boolean;
  hasGzip: boolean;
  epochS: number | null;
  openFilesMax: number | null;
  processesMax: number | null;
  /** Addresses of the control plane, as the machine reaches them; null where it has nothing to try with. */
  reach: { origin: string; isReached: boolean | null }[];
};

export type Wishes = {
  allowRoot: boolean;
  bringNode: boolean;
  /** Nothing is put on it: no Node, no service, no way back are needed. */
  isAgentless?: boolean;
  nowS: number;
};

export type Finding = { level: "info" | "warn" | "error"; text: string; fix?: string };

export type ServiceKind = "systemd-user" | "systemd-system" | "launchd" | "keep-running";

export type MachinePlan = {
  findings: Finding[];
  /** Null: bring one along. */
  nodePath: string | null;
  machine: { os: string; arch: string };
  service: ServiceKind;
  /** The control plane as this machine reaches it. */
  origin: string;
};

const NODE_NEEDED = [22, 18] as const;
/** Node 24's own binaries are linked against it. */
const GLIBC_NEEDED = [2, 28] as const;
const NODE_KIB = 420 * 1024;
const AGENT_KIB = 64 * 1024;
const SKEW_WARN_S = 60;
const OPEN_FILES_MIN = 1024;
const PROCESSES_MIN = 1024;
const ARCHES: Record<string, string> = { x86_64: "x64", amd64: "x64", aarch64: "arm64", arm64: "arm64" };

export function judgeMachine(facts: MachineFacts, wishes: Wishes): MachinePlan {
  const findings: Finding[] = [];
  const tell = (level: Finding["level"], text: string, fix?: string) =>
    findings.push(fix === undefined ? { level, text } : { level, text, fix });
  const arch = ARCHES[facts.arch] ?? facts.arch;
  const os = facts.os.toLowerCase();
  if (os !== "linux" && os !== "darwin")
    tell("error", `${facts.os} is not supported: agents run on Linux and macOS.`);
  else tell("info", `${facts.os} ${facts.arch}, ${facts.user} in ${facts.home}`);

  if (facts.uid === 0 && !wishes.allowRoot) {
    tell(
      "error",
      "The log-in is root's: jobs would run as root.",
      "Log in as a normal user, or allow root (--allow-root).",
    );
  }
  if (!facts.isHomeWritable) {
    tell("error", `${facts.home} cannot be written.`, `Make it ${facts.user}'s own and mount it writable.`);
  }

  const fit = wishes.bringNode
    ? undefined
    : facts.nodes.find(({ version }) => isAtLeast(version, NODE_NEEDED));
  if (!wishes.isAgentless) judgeRoom(facts, { fit, os, arch, tell });

  if (facts.gpuProblem !== null)
    tell("warn", `nvidia-smi fails: ${facts.gpuProblem}`, "Jobs without GPUs run all the same.");
  else if (facts.gpuCount === null)
    tell(
      "info",
      wishes.isAgentless
        ? "No nvidia-smi: without an agent it has no GPUs for jobs."
        : "No nvidia-smi: the agent looks for GPUs itself.",
    );
  else tell("info", `${facts.gpuCount} NVIDIA ${facts.gpuCount === 1 ? "GPU" : "GPUs"}`);

  const skewS = facts.epochS === null ? 0 : facts.epochS - wishes.nowS;
  if (Math.abs(skewS) > SKEW_WARN_S) {
    tell(
      "warn",
      `Its clock is ${Math.abs(skewS)} s ${skewS > 0 ? "ahead" : "behind"}: times of its own logs will differ.`,
      "Let it keep time: sudo timedatectl set-ntp true",
    );
  }
  judgeLimits(facts, tell);
  return {
    findings,
    nodePath: fit?.path ?? null,
    machine: { os, arch },
    service: wishes.isAgentless ? "keep-running" : serviceOf(facts, os, tell),
    origin: wishes.isAgentless ? "" : originOf(facts, tell),
  };
}

type Tell = (level: Finding["level"], text: string, fix?: string) => void;

type Kind = { os: string; arch: string; tell: Tell };

function judgeRoom(
  facts: MachineFacts,
  { fit, ...kind }: Kind & { fit: MachineFacts["nodes"][number] | undefined },
): void {
  const { tell } = kind;
  const needed = fit === undefined ? NODE_KIB : AGENT_KIB;
  if (fit !== undefined) tell("info", `Node ${fit.version} at ${fit.path}`);
  else judgeNodeToBring(facts, kind);
  if (facts.diskFreeKib !== null && facts.diskFreeKib < needed) {
    tell(
      "error",
      `Only ${Math.floor(facts.diskFreeKib / 1024)} MiB are free in ${facts.home}; ${needed / 1024} MiB are needed.`,
      "Make room there (logs of jobs will want more).",
    );
  }
}

function judgeNodeToBring(facts: MachineFacts, { os, arch, tell }: Kind): void {
  const old = facts.nodes[0];
  const install = `Install Node ${NODE_NEEDED.join(".")} or newer there, then run this again.`;
  tell(
    "info",
    old === undefined
      ? "It has no Node: one is brought along."
      : `Its Node ${old.version} is too old: one is brought along.`,
  );
  if (arch !== "x64" && arch !== "arm64") tell("error", `No Node can be brought to ${facts.arch}.`, install);
  if (os === "linux") {
    const [, version] = /^glibc (\d+\.\d+)/.exec(facts.libc) ?? [];
    if (version === undefined) {
      tell(
        "error",
        `Its C library (${facts.libc || "unknown"}) is not glibc: the Node that is brought would not run.`,
        install,
      );
    } else if (!isAtLeast(version, GLIBC_NEEDED)) {
      tell(
        "error",
        `Its glibc ${version} is older than ${GLIBC_NEEDED.join(".")}: the Node that is brought would not run.`,
        install,
      );
    }
  }
  if (!facts.hasSha256 || !facts.hasGzip) {
    tell("error", "It has no sha256sum or no gzip, which the Node that is brought needs.", install);
  }
}

function judgeLimits({ openFilesMax, processesMax }: MachineFacts, tell: Tell): void {
  if (openFilesMax !== null && openFilesMax < OPEN_FILES_MIN)
    tell(
      "warn",
      `Log-ins may open ${openFilesMax} files only.`,
      "Raise nofile in /etc/security/limits.conf.",
    );
  if (processesMax !== null && processesMax < PROCESSES_MIN)
    tell(
      "warn",
      `Log-ins may have ${processesMax} processes only.`,
      "Raise nproc in /etc/security/limits.conf.",
    );
}

function serviceOf(facts: MachineFacts, os: string, tell: Tell): ServiceKind {
  if (os === "darwin") return "launchd";
  if (facts.uid === 0 && facts.hasSystemd) return "systemd-system";
  if (facts.hasUserSystemd) {
    if (!facts.isLingering) {
      tell(
        "warn",
        `Without a log-in of ${facts.user}, systemd ends the agent.`,
        `It is tried now; else: sudo loginctl enable-linger ${facts.user}`,
      );
    }
    return "systemd-user";
  }
  tell(
    "warn",
    `No systemd runs for ${facts.user}: a loop of the shell keeps the agent${facts.hasCron ? ", and cron starts it after a reboot" : ", and nothing starts it after a reboot"}.`,
    facts.hasSystemd ? "Log in once with a session of systemd, then run this again." : undefined,
  );
  return "keep-running";
}

function originOf({ reach }: MachineFacts, tell: Tell): string {
  const reached =
    reach.find(({ isReached }) => isReached === true) ?? reach.find(({ isReached }) => isReached === null);
  const first = reach[0]?.origin ?? "";
  if (reached === undefined) {
    tell(
      "error",
      `It does not reach the control plane at ${reach.map(({ origin }) => origin).join(", ")}.`,
      "Start the control plane with NEXUS_HOST=0.0.0.0, or with NEXUS_PUBLIC_URL set to an address that the machine reaches; look at firewalls on the way.",
    );
    return first;
  }
  if (reached.isReached === null)
    tell("warn", "It has nothing to try the way to the control plane with; enrolling will show.");
  else tell("info", `It reaches the control plane at ${reached.origin}`);
  return reached.origin;
}

function isAtLeast(version: string, needed: readonly [number, number]): boolean {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  return major > needed[0] || (major === needed[0] && minor >= needed[1]);
}

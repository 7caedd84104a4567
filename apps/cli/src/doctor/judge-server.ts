/** What the answers of a control plane mean; pure. */
import type { OutputOf } from "@nexus/shared/api/contract";
import type { Target } from "@nexus/shared/api/schemas";
import { isDiskLow } from "@nexus/shared/low-disk";
import { bytesText, memoryText } from "../terminal/amounts.ts";
import { broken, doubtful, type Finding, fine } from "./finding.ts";
import { isLoopback } from "./judge-here.ts";

/** One plain request, as it went. */
export type Probe = {
  status: number;
  body: string;
  tookMs: number;
  /** When the answer was made, by the server's clock; null when it did not say. */
  dateMs: number | null;
  /** Until when its certificate is good; null over http. */
  certificateUntilMs: number | null;
};

const SLOW_MS = 2_000;
/** Clocks matter for one-time links, tokens and what is shown of times. */
const CLOCK_APART_MS = 30_000;
const DAY_MS = 86_400_000;
const CERTIFICATE_DAYS_MIN = 14;
const DATABASE_SLOW_MS = 250;
const TARGETS_SHOWN = 20;

export function judgeReach(url: string, { tookMs }: Probe): Finding {
  const place = { where: "server", what: "Address" } as const;
  const ms = `${Math.round(tookMs)} ms`;
  if (tookMs > SLOW_MS)
    return doubtful(place, `${url} took ${ms} to answer.`, "Look at the network, and at the server's load");
  if (!url.startsWith("https:") && !isLoopback(url)) {
    return doubtful(
      place,
      `${url} answers in ${ms}, but not encrypted: whoever is on the way can read your key.`,
      "Serve https: NEXUS_TLS=self-signed, or a proxy in front",
    );
  }
  return fine(place, `${url} answers in ${ms}`);
}

export function judgeCertificate(probe: Probe, facts: { isOwn: boolean; nowMs: number }): Finding[] {
  if (probe.certificateUntilMs === null) return [];
  const place = { where: "server", what: "Certificate" } as const;
  const days = Math.floor((probe.certificateUntilMs - facts.nowMs) / DAY_MS);
  const by = facts.isOwn
    ? "the server's own, which `nexus login` or `up` noted"
    : "vouched for by an authority";
  if (days >= CERTIFICATE_DAYS_MIN) return [fine(place, `Trusted: ${by}; good for ${days} days`)];
  return [doubtful(place, `Trusted: ${by}, but for ${days} days only.`, "Renew it on the server")];
}

/** @param probe of /readyz */
export function judgeReadiness(probe: Probe): Finding {
  const place = { where: "server", what: "Ready" } as const;
  const body = parse(probe.body);
  if (body === null || typeof body.ready !== "boolean") {
    return broken(
      place,
      `What answers there is not Nexus (HTTP ${probe.status}).`,
      "Is the address right, and does a proxy in front lead to it?",
    );
  }
  if (body.ready) return fine(place, "It serves, and its database answers");
  const why = typeof body.message === "string" ? body.message : "Its database does not answer.";
  return broken(place, why, "Look at its log; it goes on by itself when the cause is gone");
}

/** @param probe of a WebSocket that nobody signed in for: a control plane that hears of it refuses it, and says so */
export function judgeWebSocket(probe: Probe | null): Finding {
  const place = { where: "server", what: "WebSocket" } as const;
  if (probe?.status === 401 && probe.body.includes('"unauthenticated"'))
    return fine(place, "Passes: agents and the live dashboard can connect");
  const what = probe === null ? "the connection was cut" : `HTTP ${probe.status}`;
  return broken(
    place,
    `Does not pass (${what}): agents cannot connect by this address, nor port-forward, and the dashboard is not live.`,
    "Let the proxy in front pass WebSockets (the headers Upgrade and Connection)",
  );
}

/** @param probe of /api/v1/version */
export function judgeVersion(probe: Probe, own: string): Finding {
  const place = { where: "server", what: "Version" } as const;
  const theirs = parse(probe.body)?.version;
  if (typeof theirs !== "string")
    return doubtful(place, "It does not tell its version.", "Is it older than this command? Update it");
  if (theirs === own) return fine(place, `${theirs}, like this command`);
  return doubtful(
    place,
    `The server is ${theirs}, this command ${own}: some commands may not fit.`,
    "Take the command of the server's version",
  );
}

/** @param moments when it was asked and when the answer was here, and the server's time in between */
export function judgeClock(moments: {
  askedAtMs: number;
  serverMs: number;
  hereAtMs: number;
  isCoarse: boolean;
}): Finding {
  const place = { where: "server", what: "Clock" } as const;
  const { askedAtMs, serverMs, hereAtMs, isCoarse } = moments;
  const apartMs = serverMs + (isCoarse ? 500 : 0) - (askedAtMs + hereAtMs) / 2;
  const seconds = Math.round(Math.abs(apartMs) / 1000);
  if (Math.abs(apartMs) < CLOCK_APART_MS)
    return fine(
      place,
      seconds === 0 ? "Agrees with this machine's" : `${seconds} s apart from this machine's`,
    );
  return doubtful(
    place,
    `The server's clock is ${seconds} s ${apartMs > 0 ? "ahead of" : "behind"} this machine's: times are shown wrong, and links and tokens end too soon or too late.`,
    "Set both by NTP (timedatectl set-ntp true)",
  );
}

export function judgeHealth(health: OutputOf<"server.health">): Finding[] {
  const { database, disk, ssh } = health;
  const place = (what: string) => ({ where: "server", what }) as const;
  const found: Finding[] = [];
  const facts = `PostgreSQL ${database.version}, ${database.isEmbedded ? "embedded" : "elsewhere"}, ${bytesText(database.sizeBytes)}`;
  const ms = Math.round(database.tookMs);
  found.push(
    ms > DATABASE_SLOW_MS
      ? doubtful(
          place("Database"),
          `${facts}; slow: ${ms} ms for the least question.`,
          "Look at its load and its disk",
        )
      : fine(place("Database"), `${facts}; answers in ${ms} ms`),
  );
  if (disk !== null) {
    const room = `${memoryText(disk.freeMib)} of ${memoryText(disk.totalMib)} free in ${disk.path}`;
    found.push(
      isDiskLow(disk, false)
        ? doubtful(place("Disk"), `Only ${room}.`, "Make room there, before logs and the database find none")
        : fine(place("Disk"), room),
    );
  }
  found.push(
    ssh.hasFastCiphers
      ? fine(place("SSH crypto"), ssh.text)
      : doubtful(place("SSH crypto"), ssh.text, "Run it on Node.js 24 from https://nodejs.org"),
  );
  found.push(
    ssh.hasSystemSsh
      ? fine(place("ssh there"), "The system's ssh is there, for hosts that need it")
      : doubtful(
          place("ssh there"),
          "It has no ssh program: hosts with certificates or post-quantum keys only are not reached.",
          "Install OpenSSH's client on the server",
        ),
  );
  return found;
}

export function judgeProblems(problems: { code: string; message: string }[]): Finding[] {
  return problems.map(({ message }) =>
    broken({ where: "server", what: "Trouble" }, message, "What it says; it goes away by itself once mended"),
  );
}

export function judgeFleet(targets: Target[], serverVersion: string): Finding[] {
  const place = (what: string) => ({ where: "fleet", what }) as const;
  if (targets.length === 0)
    return [doubtful(place("Targets"), "There are none, so nothing can run.", "nexus targets add")];
  const connected = targets.filter(({ state }) => state === "connected").length;
  const troubles = targets.flatMap((target) => targetTrouble(target, serverVersion) ?? []);
  const rest = troubles.length - TARGETS_SHOWN;
  const summary = `${connected} of ${targets.length} connected`;
  return [
    connected > 0
      ? fine(place("Targets"), summary)
      : broken(
          place("Targets"),
          `${summary}: nothing can run.`,
          "Start their agents: nexus-agent status says what is wrong",
        ),
    ...troubles.slice(0, TARGETS_SHOWN),
    ...(rest > 0
      ? [doubtful(place("and more"), `${rest} more targets have troubles.`, "nexus targets shows them")]
      : []),
  ];
}

function targetTrouble({ name, kind, state, notice, facts }: Target, serverVersion: string): Finding | null {
  const place = { where: "fleet", what: name } as const;
  if (state === "needs_update")
    return broken(
      place,
      "Its agent is too old for this server.",
      "There: npx nexus-agent@latest install-service",
    );
  if (state !== "connected")
    return doubtful(
      place,
      `It is ${state}.`,
      kind === "ssh" ? "nexus targets ways says why" : "There: nexus-agent status; is the machine on?",
    );
  if (notice !== null && notice.level !== "info")
    return doubtful(place, notice.message, `nexus targets, or its page, says since when`);
  if (facts?.gpuProblem)
    return doubtful(place, `Its GPUs are not read: ${facts.gpuProblem}`, "Mend the driver there");
  if (kind === "agent" && facts !== null && facts.agentVersion !== serverVersion) {
    return doubtful(
      place,
      `Its agent is ${facts.agentVersion}, the server ${serverVersion}.`,
      "There: npx nexus-agent@latest install-service",
    );
  }
  return null;
}

function parse(body: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

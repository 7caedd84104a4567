/** What the facts of a person's own machine mean; pure. */
import { broken, doubtful, type Finding, fine } from "./finding.ts";

const NODE_MIN = [22, 18] as const;

export function judgeNode(version: string): Finding {
  const place = { where: "here", what: "Node.js" } as const;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isEnough = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1]);
  if (isEnough) return fine(place, version);
  const message = `${version} is older than ${NODE_MIN.join(".")}, which Nexus needs.`;
  return broken(place, message, "Install Node.js 24 from https://nodejs.org");
}

/** @param mode of the file with the key; null where there is none */
export function judgeSettings(file: { path: string; mode: number | null; problem: string | null }): Finding {
  const place = { where: "here", what: "Settings" } as const;
  const { path, mode, problem } = file;
  if (problem !== null) return broken(place, problem, "Mend what it names, or: nexus login");
  if (mode === null) return fine(place, `There is no ${path} yet; nexus login writes it.`);
  if ((mode & 0o077) === 0) return fine(place, path);
  const shown = (mode & 0o777).toString(8);
  return doubtful(
    place,
    `Others on this machine may read ${path}, and the key in it (mode ${shown}).`,
    `chmod 600 ${path}, and if others use this machine make a new key`,
  );
}

/** @param version what `ssh -V` says; null where there is none */
export function judgeSsh(version: string | null): Finding {
  const place = { where: "here", what: "ssh" } as const;
  if (version !== null) return fine(place, version);
  return doubtful(
    place,
    "There is no ssh program, so your own ssh configuration is not read by `nexus targets add user@host`.",
    "Install OpenSSH's client, or give --no-config and --identity",
  );
}

export type AgentFacts = {
  home: string;
  name: string;
  origin: string;
  /** What it wrote down of itself; null while none runs. */
  running: { pid: number; state: string; problem: string | null } | null;
};

/** @param url of the server that this machine's commands speak to; null when none is known */
export function judgeAgent({ home, name, origin, running }: AgentFacts, url: string | null): Finding {
  const place = { where: "here", what: "Agent" } as const;
  const who = `This machine is ${name} of ${origin} (${home})`;
  if (running === null) {
    return broken(
      place,
      `${who}, but its agent does not run: it gets no jobs.`,
      "nexus-agent install-service, or npm run up where that started it",
    );
  }
  if (running.state !== "connected") {
    const why = running.problem === null ? "" : `: ${running.problem.replace(/\.$/, "")}`;
    return broken(
      place,
      `${who}. Its agent runs (pid ${running.pid}) and is not connected${why}.`,
      "nexus-agent status says when it tries again",
    );
  }
  if (url !== null && origin !== url && !isLoopback(url)) {
    return doubtful(
      place,
      `${who}, which is another address than that of your commands, ${url}.`,
      "Fine if both are one server",
    );
  }
  return fine(place, `${who}; connected, pid ${running.pid}`);
}

export function isLoopback(url: string): boolean {
  return ["127.0.0.1", "[::1]", "localhost"].includes(new URL(url).hostname);
}

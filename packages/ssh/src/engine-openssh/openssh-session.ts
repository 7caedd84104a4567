import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { checkHost } from "../config/host-settings.ts";
import { newMark } from "../exec/mark.ts";
import { remoteCommand } from "../exec/remote-command.ts";
import type {
  ExecRequest,
  ForwardIn,
  ForwardTarget,
  RemoteExit,
  RemoteProcess,
  SessionFacts,
  SshSession,
} from "../session.ts";
import { SshError } from "../ssh-error.ts";

export type MasterParts = {
  master: ChildProcess;
  client: {
    program: string;
    env: Record<string, string | undefined>;
    args: string[];
    target: string;
    folder: string;
  };
  facts: SessionFacts;
  /** What the master has said. */
  words: () => string;
  clean: () => Promise<void>;
};

const KILL_AFTER_MS = 2_000;
/** ssh's own failure, a program's exit code 255, and a program that a signal ended: all the same to its caller. */
const SSH_STATUS = 255;

/** Sets the size first: a terminal without one here has none to inherit. */
const SIZED = 'stty rows "$1" cols "$2" 2>/dev/null; shift 2; exec "$@"';

/**
 * Owns the master process, the clients and the private folder. The master is the connection: when it ends, all clients
 * end, and what they ran is unknown. Clients never connect by themselves: without the master their proxy is `false`.
 */
export function createOpenSshSession(parts: MasterParts): SshSession {
  const { master, client, facts, words, clean } = parts;
  const clients = new Set<ChildProcess>();
  const ended = Promise.withResolvers<Error | undefined>();
  let hasEnded = false;
  let isClosing = false;
  let logs = 0;

  master.once("close", () => {
    hasEnded = true;
    for (const child of clients) child.kill("SIGKILL");
    void clean().then(() => ended.resolve(isClosing ? undefined : lost()));
  });

  function lost(): SshError {
    const why = words().trim();
    return new SshError("connection_lost", `The connection was cut${why === "" ? "" : `: ${why}`}`);
  }

  /** ssh's own words go to a file, so that they are never taken for the program's. */
  function start(args: string[]): { child: ChildProcessWithoutNullStreams; logFile: string } {
    if (hasEnded || isClosing) throw lost();
    logs += 1;
    const logFile = join(client.folder, `log-${logs}`);
    const own = [
      ...client.args,
      "-o",
      "ControlMaster=no",
      "-o",
      "ProxyCommand=false",
      "-o",
      "ProxyJump=none",
      "-E",
      logFile,
    ];
    const child = spawn(client.program, [...own, ...args], {
      env: { ...client.env } as NodeJS.ProcessEnv,
      stdio: ["pipe", "pipe", "pipe"],
    });
    clients.add(child);
    child.once("close", () => clients.delete(child));
    child.stdin.on("error", () => undefined);
    return { child, logFile };
  }

  async function refusal(logFile: string): Promise<SshError | undefined> {
    const said = (await readFile(logFile, "utf8").catch(() => "")).trim();
    if (hasEnded) return lost();
    if (said === "") return (await isAlive()) ? undefined : lost();
    const isRefused = /refused by peer|open failed|administratively prohibited/i.test(said);
    return new SshError(isRefused ? "channel_refused" : "remote_refused", `The server refused: ${said}`);
  }

  /** Clients learn of a cut line before the master's end is told: only the server's own answer shows that it is there. */
  function isAlive(): Promise<boolean> {
    return new Promise((resolve) => {
      if (hasEnded || isClosing) return resolve(false);
      const { child, logFile } = start(["-T", client.target, "true"]);
      child.stdout.resume();
      child.stderr.resume();
      child.stdin.end();
      child.once("error", () => resolve(false));
      child.once("close", (code) => {
        void readFile(logFile, "utf8")
          .catch(() => "")
          .then((said) => resolve(!hasEnded && (code === 0 || /refused by peer/.test(said))));
      });
    });
  }

  function exitOf(child: ChildProcess, logFile: string): Promise<RemoteExit> {
    const exited = new Promise<RemoteExit>((resolve, reject) => {
      child.once("error", (cause) =>
        reject(new SshError("unsupported", `${client.program} cannot be run`, cause)),
      );
      child.once("exit", (code, signal) => {
        void (async () => {
          // The master may have gone in the same moment: its end is told a little later.
          const refused = code === SSH_STATUS || signal !== null ? await refusal(logFile) : undefined;
          await rm(logFile, { force: true });
          if (refused !== undefined) reject(refused);
          else if (signal !== null) reject(lost());
          else resolve({ code, signal: null });
        })();
      });
    });
    exited.catch(() => undefined);
    return exited;
  }

  function stream(args: string[]): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const { child, logFile } = start(args);
      const duplex = Duplex.from({ readable: child.stdout, writable: child.stdin });
      duplex.on("error", () => undefined);
      duplex.once("close", () => void child.kill());
      exitOf(child, logFile).catch((error: Error) => duplex.destroy(error));
      child.stderr.resume();
      child.once("spawn", () => resolve(duplex));
      child.once("error", reject);
    });
  }

  async function control(operation: string, args: string[]): Promise<string> {
    const { child, logFile } = start(["-O", operation, ...args, client.target]);
    let stdout = "";
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.resume();
    child.stdin.end();
    const { code } = await exitOf(child, logFile);
    if (code !== 0) throw new SshError("remote_refused", `ssh -O ${operation} failed (${code})`);
    return stdout.trim();
  }

  return {
    engine: "openssh",
    facts,
    ended: ended.promise,
    isOpen: () => !hasEnded && !isClosing,
    channelCount: () => clients.size,
    async exec(request: ExecRequest): Promise<RemoteProcess> {
      const mark = newMark();
      const { terminal } = request;
      const sized =
        terminal === undefined
          ? request.argv
          : ["sh", "-c", SIZED, "nexus", String(terminal.rows), String(terminal.columns), ...request.argv];
      const env =
        terminal === undefined ? request.env : { TERM: terminal.term ?? "xterm-256color", ...request.env };
      const command = remoteCommand({ argv: sized, cwd: request.cwd, env, mark });
      const { child, logFile } = start([terminal === undefined ? "-T" : "-tt", client.target, command]);
      return {
        mark,
        stdin: child.stdin,
        stdout: child.stdout,
        stderr: child.stderr,
        exited: exitOf(child, logFile),
        resize() {
          throw new SshError("unsupported", "The engine openssh sets a terminal's size at its start only.");
        },
        close: () => void child.kill(),
      };
    },
    subsystem: (name) => stream(["-s", client.target, name]),
    async forwardOut(to: ForwardTarget) {
      if ("socketPath" in to)
        throw new SshError("unsupported", "The engine openssh reaches ports, not socket files.");
      return stream(["-W", `${bracket(to.host)}:${to.port}`, client.target]);
    },
    async forwardIn({ bindHost, bindPort, to }: ForwardIn) {
      const rule = (port: number) =>
        `${bindHost === "*" ? "*" : bracket(bindHost)}:${port}:${bracket(to.host)}:${to.port}`;
      const said = await control("forward", ["-R", rule(bindPort)]);
      const port = bindPort === 0 ? Number(said) : bindPort;
      return {
        port,
        async close() {
          if (!hasEnded) await control("cancel", ["-R", rule(bindPort)]);
        },
      };
    },
    async close() {
      isClosing = true;
      if (!hasEnded) master.kill("SIGTERM");
      const timer = setTimeout(() => master.kill("SIGKILL"), KILL_AFTER_MS);
      await ended.promise;
      clearTimeout(timer);
    },
  };
}

/** `*` is every address, for listening only. */
function bracket(host: string): string {
  return checkHost(host).includes(":") ? `[${host}]` : host;
}

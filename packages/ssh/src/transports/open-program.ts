import { type ChildProcess, spawn } from "node:child_process";
import { Duplex } from "node:stream";
import type { Carrier } from "./carrier.ts";

const LAST_WORDS_CHARS = 2_000;
const KILL_AFTER_MS = 2_000;
/** How long a dying proxy's exit code is worth waiting for. */
const EXPLAIN_MS = 500;

export type ProgramCarrier = { argv: readonly string[]; env: Readonly<Record<string, string | undefined>> };

/**
 * A program whose stdin and stdout are the way to the server. It lives in a process group of its own and is ended with
 * the stream, so that no proxy is left behind. What it said on stderr explains its failure.
 */
export function openProgram({ argv, env }: ProgramCarrier): Carrier {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, {
    env: { ...env } as NodeJS.ProcessEnv,
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  let lastWords = "";
  let outcome = "";
  child.stderr.on("data", (chunk) => {
    lastWords = (lastWords + chunk).slice(-LAST_WORDS_CHARS);
  });
  const exited = new Promise<void>((resolve) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      outcome =
        error.code === "ENOENT"
          ? `${program} is not installed on the machine that connects`
          : `${program} cannot be run (${error.message})`;
      resolve();
    });
    child.once("exit", (code, signal) => {
      outcome = `${program} ended with ${code ?? signal}`;
      resolve();
    });
  });
  const stream = Duplex.from({ readable: child.stdout, writable: child.stdin });
  child.once("error", (error) => stream.destroy(error));
  stream.once("close", () => void endGroup(child, exited));
  return {
    stream,
    async explain() {
      await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, EXPLAIN_MS).unref())]);
      return [outcome, lastWords.trim()].filter(Boolean).join(": ");
    },
  };
}

async function endGroup(child: ChildProcess, exited: Promise<void>): Promise<void> {
  signalGroup(child, "SIGTERM");
  const timer = setTimeout(() => signalGroup(child, "SIGKILL"), KILL_AFTER_MS);
  await exited;
  clearTimeout(timer);
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The whole group has ended meanwhile.
  }
}

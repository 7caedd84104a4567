import { spawn } from "node:child_process";
import { delimiter, join, resolve } from "node:path";
import { REPOSITORY } from "../code/source.ts";

export type Command = {
  /** The program and its arguments; programs of the root's node_modules are found by name. */
  argv: string[];
  /** From the root of the repository, or absolute. */
  cwd?: string;
  env?: Record<string, string>;
  timeoutMs: number;
  /** "show" passes the output through as it comes, "keep" holds it back for the caller. */
  output: "show" | "keep";
};

export type Ended = { exitCode: number; output: string; seconds: number };

/** Runs one program to its end, without stdin. A program past its time is ended with all it started, and counts as failed. */
export async function runCommand({ argv, cwd = ".", env = {}, timeoutMs, output }: Command): Promise<Ended> {
  const [program = "", ...args] = argv;
  const started = performance.now();
  const child = spawn(program, args, {
    cwd: resolve(REPOSITORY, cwd),
    env: { ...process.env, ...env, PATH: pathWithBins() },
    stdio: ["ignore", output === "show" ? "inherit" : "pipe", output === "show" ? "inherit" : "pipe"],
    // Its own group, so that its time being up ends its children too.
    detached: true,
  });
  const kept: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => kept.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => kept.push(chunk));
  const endGroup = (signal: NodeJS.Signals) => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, signal);
    } catch {
      // Already gone: that is what we wanted.
    }
  };
  const deadline = setTimeout(() => {
    kept.push(Buffer.from(`\nended after ${Math.round(timeoutMs / 1000)} s without a result\n`));
    endGroup("SIGTERM");
    setTimeout(() => endGroup("SIGKILL"), 5_000).unref();
  }, timeoutMs);
  const forward = () => endGroup("SIGINT");
  process.on("SIGINT", forward);
  try {
    const exitCode = await new Promise<number>((ended) => {
      child.on("error", (error) => {
        kept.push(Buffer.from(`${program} did not start: ${error.message}\n`));
        ended(127);
      });
      child.on("close", (code) => ended(code ?? 1));
    });
    return {
      exitCode,
      output: Buffer.concat(kept).toString(),
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    clearTimeout(deadline);
    process.off("SIGINT", forward);
  }
}

function pathWithBins(): string {
  return [join(REPOSITORY, "node_modules/.bin"), process.env.PATH ?? ""].join(delimiter);
}

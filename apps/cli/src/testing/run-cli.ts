import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const MAIN = join(import.meta.dirname, "../main.ts");

export type RunningCli = {
  process: ChildProcess;
  stdout(): string;
  stderr(): string;
  exit: Promise<number>;
  /** Resolves when the output holds `part`. */
  says(part: string): Promise<void>;
};

export type CliOptions = {
  home: string;
  env?: Record<string, string>;
  /** Written to standard input, which is then closed. */
  input?: string;
  /** On a terminal of its own, as by hand. Standard output and error are then one. */
  onTerminal?: boolean;
};

/** The real command, from its source, in an environment that says nothing of the machine that runs the tests. */
export function startCli(args: string[], options: CliOptions): RunningCli {
  const { home, env = {}, input, onTerminal = false } = options;
  const argv = [process.execPath, MAIN, ...args];
  const [program = "", ...rest] = onTerminal
    ? ["script", "-qfec", `exec ${argv.map(quote).join(" ")}`, "/dev/null"]
    : argv;
  const child = spawn(program, rest, {
    env: {
      // The Node that runs the tests, and what the system has in its usual place.
      PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
      NEXUS_HOME: home,
      TERM: "xterm",
      NO_COLOR: "1",
      SHELL: "/bin/sh",
      ...env,
    },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (bytes: Buffer) => {
    stdout += bytes.toString("latin1");
  });
  child.stderr.on("data", (bytes: Buffer) => {
    stderr += bytes.toString();
  });
  child.stdin.on("error", () => undefined);
  if (!onTerminal || input !== undefined) child.stdin.end(input ?? "");
  const exit = once(child, "close").then(([code]) => Number(code));
  return {
    process: child,
    stdout: () => stdout,
    stderr: () => stderr,
    exit,
    async says(part) {
      while (!(stdout + stderr).includes(part)) {
        await Promise.race([
          once(child.stdout, "data"),
          once(child.stderr, "data"),
          exit.then((code) => {
            if (!(stdout + stderr).includes(part)) throw new Error(`ended with ${code}:\n${stdout}${stderr}`);
          }),
        ]);
      }
    },
  };
}

export function tempHome(): { home: string; remove(): void } {
  const home = mkdtempSync(join(tmpdir(), "nexus-cli-"));
  return { home, remove: () => rmSync(home, { recursive: true, force: true }) };
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const TIMEOUT_MS = 5 * 60_000;

export type Timed = { seconds: number; stdout: string };

/** Runs a program to its end, and how long that took. Anything but exit code 0 ends the case. */
export async function runTimed(argv: string[], env: Record<string, string> = {}): Promise<Timed> {
  const [program = "", ...args] = argv;
  const started = performance.now();
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk;
  });
  await new Promise<void>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) resolve();
      else
        reject(
          new Error(`${argv.join(" ")} ended with ${code ?? signal}: ${stderr.trim() || stdout.trim()}`),
        );
    });
  });
  return { seconds: (performance.now() - started) / 1000, stdout };
}

function isInstalled(program: string): boolean {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** For `absent` of a case: which package brings the program. */
export function unlessInstalled(program: string, debianPackage: string): string | undefined {
  return isInstalled(program)
    ? undefined
    : `${program} is not installed (Debian: apt-get install ${debianPackage})`;
}

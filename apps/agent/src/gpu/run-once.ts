/** One short command to its end: bounded in time and output, never a rejection. For probes and fresh samples, not for sampling. */
import { spawn } from "node:child_process";

export type RunResult = { code: number | null; stdout: string; stderr: string; timedOut: boolean };

/** Enough for `-q` of 16 devices (measured: 12 KiB each); more is not ours. */
const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;

export function runOnce(command: string, args: readonly string[], deadlineMs: number): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    const output = { stdout: "", stderr: "" };
    let ended = false;
    const end = (code: number | null, timedOut: boolean): void => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      resolve({ code, ...output, timedOut });
    };
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      // A command stuck inside the driver does not die; whoever asked must not wait for it.
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
      end(null, true);
    }, deadlineMs);
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (chunk: string) => {
        output[stream] += chunk;
        if (output[stream].length > OUTPUT_BYTES_MAX) child.kill("SIGKILL");
      });
    }
    child.on("error", (error) => {
      output.stderr += `${error.message}\n`;
      end(127, false);
    });
    child.on("close", (code) => end(code, false));
  });
}

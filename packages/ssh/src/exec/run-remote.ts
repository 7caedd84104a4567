import type { Readable } from "node:stream";
import type { ExecRequest, Runner } from "../session.ts";
import { SshError } from "../ssh-error.ts";
import { collectOutput, type RunResult } from "./collect-output.ts";
import { killTree } from "./kill-tree.ts";
import { newMark } from "./mark.ts";

export type RunOptions = {
  /** Given to the program and then ended. Without it the program reads an empty stdin. */
  stdin?: string | Uint8Array | Readable;
  /** Ends the whole tree on the machine, then rejects. */
  signal?: AbortSignal;
  timeoutMs?: number;
  /** Kept of each stream; more ends the tree and rejects, so that a talkative program cannot fill this process. */
  bytesMax?: number;
  /** From TERM to KILL when it is ended. */
  graceMs?: number;
};

const BYTES_MAX = 8 * 1024 * 1024;
const GRACE_MS = 2_000;
const ERROR_CHARS = 500;
const GREETING_BYTES_MAX = 64 * 1024;

/** Runs a program to its end and returns what it wrote. For long output or unknown length, read the streams of `exec`. */
export async function runRemote(
  session: Runner,
  request: ExecRequest,
  options: RunOptions = {},
): Promise<RunResult> {
  const { bytesMax = BYTES_MAX, graceMs = GRACE_MS } = options;
  options.signal?.throwIfAborted();
  const child = await session.exec(request);
  const stop = new AbortController();
  const timer =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(
          () =>
            stop.abort(
              new SshError("timed_out", `It did not end within ${(options.timeoutMs ?? 0) / 1000} s`),
            ),
          options.timeoutMs,
        );
  const giveUp = () => stop.abort(new SshError("cancelled", "It was cancelled.", options.signal?.reason));
  if (options.signal?.aborted) giveUp();
  options.signal?.addEventListener("abort", giveUp, { once: true });
  try {
    const onExcess = () => stop.abort(new SshError("remote_refused", `It wrote more than ${bytesMax} bytes`));
    const whole = collectOutput(child, { stdin: options.stdin, bytesMax, onExcess });
    return await Promise.race([whole, rejectOnAbort(stop.signal)]);
  } catch (error) {
    child.close();
    if (stop.signal.aborted && session.isOpen()) await killTree(session, child.mark, { graceMs });
    throw error;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", giveUp);
  }
}

export type RemoteScript = {
  /** In words, for the error. */
  what: string;
  /** A POSIX shell script of ours. Values never become part of it. */
  text: string;
  args: readonly string[];
};

/**
 * What the script itself wrote, without what the start-up files of the log-in said before it.
 * @throws SshError when the machine ran something else, as a forced command does.
 */
export async function runPastGreeting(
  session: Runner,
  { what, text, args }: RemoteScript,
  options: RunOptions & { env?: Readonly<Record<string, string>> } = {},
): Promise<RunResult> {
  const mark = newMark();
  const argv = ["sh", "-c", `echo ${mark}\n${text}`, "nexus", ...args];
  const bytesMax = (options.bytesMax ?? BYTES_MAX) + GREETING_BYTES_MAX;
  const result = await runRemote(session, { argv, env: options.env }, { ...options, bytesMax });
  const at = result.stdout.indexOf(`${mark}\n`);
  if (at >= 0) return { ...result, stdout: result.stdout.subarray(at + mark.length + 1) };
  const said = `${result.stderr.toString("utf8")}${result.stdout.toString("utf8")}`
    .trim()
    .slice(0, ERROR_CHARS);
  throw new SshError(
    "remote_refused",
    `${what} failed (${result.code ?? result.signal}): the machine does not run what it is asked, as with a forced command or an account that is closed. It said: ${said || "nothing"}`,
  );
}

/** For scripts that must succeed: anything but exit code 0 is an error with the script's own words. */
export async function runScript(
  session: Runner,
  script: RemoteScript,
  options: RunOptions = {},
): Promise<string> {
  const { code, signal, stdout, stderr } = await runPastGreeting(session, script, options);
  if (code === 0) return stdout.toString("utf8");
  const words = stderr.toString("utf8").trim() || stdout.toString("utf8").trim().slice(-ERROR_CHARS);
  throw new SshError("remote_refused", `${script.what} failed (${code ?? signal}): ${words}`);
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

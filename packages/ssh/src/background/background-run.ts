import { askTree, type KillReport, killTree } from "../exec/kill-tree.ts";
import { newMark } from "../exec/mark.ts";
import { MARK_VARIABLE, quoteWord } from "../exec/remote-command.ts";
import { runPastGreeting, runScript } from "../exec/run-remote.ts";
import type { ExecRequest, Runner } from "../session.ts";
import { SshError } from "../ssh-error.ts";
import { SUPERVISOR_SCRIPT } from "./supervisor-script.ts";

/**
 * Programs that go on without us. Nothing is remembered here: all there is to know lies on the machine, so any session
 * to it, also one after a restart, can ask. States: absent → starting → running → exited, and lost when the supervisor
 * itself was killed or the machine restarted, which leaves the exit code unknown.
 */
export type BackgroundState =
  | { state: "absent" }
  | { state: "starting" | "lost"; logBytes: number }
  | { state: "running"; logBytes: number; supervisorPid: number; pid: number | undefined }
  | {
      state: "exited";
      logBytes: number;
      exit: { code: number | null; signalNumber: number | null };
      /** Why it was asked to end; null when it was not. */
      stopReason: string | null;
    };

export type BackgroundRequest = Omit<ExecRequest, "terminal"> & { id: string };

const ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const STOP_REASON = /^[a-z_]{1,32}$/;
const SIGNAL_STATUS = 128;
const NO_LOG_STATUS = 3;

/** Safe to repeat: an id that was started before, by whomever, is not started again, and answers with its state. */
export async function startBackground(session: Runner, request: BackgroundRequest): Promise<BackgroundState> {
  const script = programScript(request);
  const args = ["start", checkId(request.id), SUPERVISOR_SCRIPT];
  const text = await runScript(
    session,
    { what: "starting in the background", text: SUPERVISOR_SCRIPT, args },
    { stdin: script },
  );
  return parseState(text);
}

export async function readBackground(session: Runner, id: string): Promise<BackgroundState> {
  return parseState(await runSupervisor(session, ["state", checkId(id)]));
}

export async function listBackground(session: Runner): Promise<Map<string, BackgroundState>> {
  const lines = (await runSupervisor(session, ["list"])).split("\n").filter(Boolean);
  return new Map(
    lines.map((line) => {
      const at = line.indexOf(" ");
      return [line.slice(0, at), parseState(line.slice(at + 1))];
    }),
  );
}

/** Bytes of the log from an offset, at most so many; fewer when the log ends before. Empty at its end. */
export async function readBackgroundLog(
  session: Runner,
  from: { id: string; offset: number; bytesMax: number },
): Promise<Buffer> {
  const args = ["read", checkId(from.id), String(from.offset), String(from.bytesMax)];
  const script = { what: "reading the log", text: SUPERVISOR_SCRIPT, args };
  const { code, stdout, stderr } = await runPastGreeting(session, script, { bytesMax: from.bytesMax });
  if (code === NO_LOG_STATUS)
    throw new SshError("remote_refused", `There is no run ${from.id} on the machine.`);
  if (code !== 0)
    throw new SshError("remote_refused", `Reading the log failed: ${stderr.toString("utf8").trim()}`);
  return stdout;
}

/**
 * Asks the program's tree to end, and notes beside it why: whoever finds the run over later knows that too. `stopBackground` after
 * the grace ends what did not listen.
 */
export async function askBackgroundToStop(session: Runner, id: string, reason: string): Promise<void> {
  if (!STOP_REASON.test(reason))
    throw new SshError("config_invalid", `${JSON.stringify(reason)} is no reason`);
  await runSupervisor(session, ["note", checkId(id), reason]);
  await askTree(session, backgroundMark(id));
}

/** Ends the program's tree, not its supervisor, which still records how it ended. */
export async function stopBackground(session: Runner, id: string, graceMs: number): Promise<KillReport> {
  return killTree(session, backgroundMark(checkId(id)), { graceMs });
}

/** Removes folder and log. Refused while it runs. */
export async function forgetBackground(session: Runner, id: string): Promise<void> {
  await runSupervisor(session, ["forget", checkId(id)]);
}

/** The mark of a run's processes. Known from the id, so that it can be ended by whoever comes later. */
export function backgroundMark(id: string): string {
  return `run-${id}`;
}

function runSupervisor(session: Runner, args: string[]): Promise<string> {
  return runScript(session, { what: `background ${args[0]}`, text: SUPERVISOR_SCRIPT, args });
}

/** As quoted words in a file: what a program is given is never read as shell. */
function programScript({ id, argv, cwd, env = {} }: BackgroundRequest): string {
  if (argv.length === 0) throw new SshError("config_invalid", "There is no program to run.");
  const names = Object.keys(env);
  const odd = names.find((name) => !VARIABLE.test(name));
  if (odd !== undefined)
    throw new SshError("config_invalid", `${JSON.stringify(odd)} is no name of a variable`);
  const variables = Object.entries({ ...env, [MARK_VARIABLE]: backgroundMark(id) });
  return [
    ...variables.map(([name, value]) => `export ${name}=${quoteWord(value)}`),
    cwd === undefined ? 'cd -- "$HOME" || exit 1' : `cd -- ${quoteWord(cwd)} || exit 1`,
    `exec ${argv.map(quoteWord).join(" ")}`,
    "# whole",
    "",
  ].join("\n");
}

function checkId(id: string): string {
  if (ID.test(id)) return id;
  throw new SshError("config_invalid", `${JSON.stringify(id)} cannot be the id of a run`);
}

function parseState(text: string): BackgroundState {
  const [state, size, first, second] = text.trim().split(" ");
  const logBytes = Number(size);
  switch (state) {
    case "absent":
      return { state };
    case "starting":
    case "lost":
      return { state, logBytes };
    case "running":
      return {
        state,
        logBytes,
        supervisorPid: Number(first),
        pid: second === undefined || second === "" ? undefined : Number(second),
      };
    case "exited": {
      const status = Number(first);
      const isSignal = status > SIGNAL_STATUS;
      const exit = { code: isSignal ? null : status, signalNumber: isSignal ? status - SIGNAL_STATUS : null };
      return { state, logBytes, exit, stopReason: second || null };
    }
    default:
      throw new SshError("remote_refused", `The machine answered ${JSON.stringify(text.slice(0, 200))}`);
  }
}

/** For callers without an id of their own. */
export function newBackgroundId(): string {
  return newMark();
}

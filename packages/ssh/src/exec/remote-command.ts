import { SshError } from "../ssh-error.ts";

/** The variable that marks the processes of one exec. Its value never comes from outside. */
export const MARK_VARIABLE = "NEXUS_EXEC_ID";

const PLAIN_PROGRAM = /^[A-Za-z0-9_./][A-Za-z0-9_./-]*$/;
const PLAIN_WORD = /^[A-Za-z0-9_.:/+,-][A-Za-z0-9_.:/=@%+,-]*$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Linux refuses a longer single argument (MAX_ARG_STRLEN less the rest of the line). */
const COMMAND_BYTES_MAX = 120 * 1024;

/** One word of a POSIX shell, whatever it holds. */
export function quoteWord(word: string): string {
  refuseNul(word);
  return `'${word.replaceAll("'", "'\\''")}'`;
}

export type RemoteCommand = {
  argv: readonly string[];
  cwd?: string | undefined;
  env?: Readonly<Record<string, string>> | undefined;
  mark: string;
};

/**
 * The one string that SSH carries, made so that every login shell (sh, bash, zsh, fish, csh) reads the same words.
 * Plain words go as they are. All else goes in octal to a `sh` of ours, so that no login shell meets a quote, a dollar
 * sign, an exclamation mark or a newline.
 */
export function remoteCommand({ argv, cwd, env = {}, mark }: RemoteCommand): string {
  const [program, ...rest] = argv;
  if (program === undefined || program === "")
    throw new SshError("config_invalid", "There is no program to run.");
  // bash's exec would take it for an option, and dash's has no `--` to say otherwise.
  if (program.startsWith("-"))
    throw new SshError("config_invalid", `${program} is an option, not a program.`);
  for (const name of Object.keys(env)) {
    if (!VARIABLE.test(name)) {
      throw new SshError("config_invalid", `${JSON.stringify(name)} is no name of an environment variable`);
    }
  }
  const variables = Object.entries({ ...env, [MARK_VARIABLE]: mark });
  const assignments = variables.map(([name, value]) => `${name}=${value}`);
  const isPlain =
    cwd === undefined &&
    PLAIN_PROGRAM.test(program) &&
    [...assignments, ...rest].every((word) => PLAIN_WORD.test(word));
  const command = isPlain
    ? plainCommand(assignments, argv.join(" "))
    : encodedCommand({ argv, cwd, variables });
  if (Buffer.byteLength(command) > COMMAND_BYTES_MAX) {
    throw new SshError("config_invalid", "The command is longer than a shell takes: send it on stdin.");
  }
  return command;
}

/**
 * `env` is one more exec on the way, a seventh of what a short command takes. A POSIX shell needs none; csh and fish, which
 * tell themselves by `$shell` and `$version`, would not give the variable on. Tried with sh, dash, bash, zsh, ksh, mksh, yash,
 * busybox, fish, csh and tcsh. Only for the mark: a name of the caller's may be one that the shell keeps for itself. And only where
 * the line may stand there twice: `env` costs a long one nothing that is seen.
 */
function plainCommand(assignments: string[], line: string): string {
  const [mark = "", ...others] = assignments;
  const throughEnv = `exec env ${assignments.join(" ")} ${line}`;
  if (others.length > 0) return throughEnv;
  const both = `test -z "$shell" && test -z "$version" && eval '${mark} exec ${line}'; ${throughEnv}`;
  return both.length > COMMAND_BYTES_MAX ? throughEnv : both;
}

type Parts = { argv: readonly string[]; cwd: string | undefined; variables: [string, string][] };

/** By `export` and not by `env`, which would take a program called `-x` or `a=b` for its own. */
function encodedCommand({ argv, cwd, variables }: Parts): string {
  const assignments = variables.map(([name, value]) => `export ${name}=${quoteWord(value)}; `).join("");
  const enter = cwd === undefined ? "" : `cd -- ${quoteWord(cwd)} && `;
  const script = `${assignments}${enter}exec ${argv.map(quoteWord).join(" ")}`;
  return `exec sh -c 'eval "$(printf %b "$1")"' sh '${toOctal(script)}'`;
}

/** For `printf %b`: letters and digits stay, every other byte becomes `\0ooo`. */
function toOctal(text: string): string {
  refuseNul(text);
  let encoded = "";
  for (const byte of Buffer.from(text)) {
    const char = String.fromCharCode(byte);
    encoded += /[A-Za-z0-9_./ -]/.test(char) ? char : `\\0${byte.toString(8).padStart(3, "0")}`;
  }
  return encoded;
}

function refuseNul(text: string): void {
  if (text.includes("\0")) throw new SshError("config_invalid", "A NUL byte cannot be part of a command.");
}

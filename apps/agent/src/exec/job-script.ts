import { shellQuote } from "./shell-quote.ts";

export type JobScript = {
  command: string[];
  /** Everything that the job gets besides the launcher's own environment; later entries win. */
  env: Record<string, string>;
  /** Absolute. */
  cwd: string;
  /** The `cgroup.procs` that the job enters before it becomes the command. */
  cgroupProcs: string | null;
};

/**
 * Names that a shell keeps for itself: assigning to them fails, changes the shell or gives another value back. A job that
 * sets one starts through `env`, one more exec (0.5 ms).
 */
const SHELL_OWNED =
  /^(_|BASH.*|COMP_.*|COPROC|DIRSTACK|ENV|EPOCH.*|ERRNO|EUID|FC.*|FUNC.*|GROUPS|HIST.*|IFS|IGNOREEOF|KSH.*|LINENO|MAIL.*|OLDPWD|OPT.*|PIPESTATUS|POSIXLY_CORRECT|PPID|PS\d|PWD|RANDOM|READLINE.*|REPLY|SECONDS|SHELLOPTS|SHLVL|SRANDOM|TIMEFORMAT|TMOUT|UID|USER_ID|auto_resume|histchars)$/;

/**
 * What a supervisor's child runs instead of another shell: it becomes the command. Its stderr is /dev/null until
 * then, so that a shell's remarks (an unknown LC_ALL) do not get into the job's log.
 */
export function jobScript(job: JobScript): string {
  const lines = [];
  if (job.cgroupProcs !== null) lines.push(`echo 0 >|${shellQuote(job.cgroupProcs)}`);
  lines.push(
    `cd ${shellQuote(job.cwd)} || { echo ${shellQuote(`nexus: cannot enter ${job.cwd}`)}; exit 126; }`,
  );
  lines.push("unset OLDPWD SHLVL");
  const throughEnv: string[] = [];
  for (const [name, value] of Object.entries(job.env)) {
    const assignment = `${name}=${shellQuote(value)}`;
    if (SHELL_OWNED.test(name)) throughEnv.push(shellQuote(`${name}=${value}`));
    else lines.push(`export ${assignment}`);
  }
  const words = job.command.map(shellQuote).join(" ");
  // `exec` takes a leading dash for an option, and not every shell knows `exec --`.
  const detour =
    throughEnv.length > 0 || job.command[0]?.startsWith("-")
      ? `/usr/bin/env -- ${throughEnv.join(" ")} `
      : "";
  lines.push(`exec ${detour}${words} 2>&1`);
  return `${lines.join("\n")}\n`;
}

/** What a supervisor reads: a function that becomes the job whose attempt it is given. */
export function orderScript(jobs: { attempt: string; script: string }[]): string {
  const cases = jobs.map(({ attempt, script }) => `${attempt})\n${script};;\n`);
  return `begin() {\ncase $1 in\n${cases.join("")}esac\n}\n`;
}

/** What can be known of a start before it is accepted, so that it is refused with a sentence and not by a log line. */
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import { ENV_NAME, type JobStart } from "@nexus/shared/protocol/messages";

/** Linux refuses one argument or variable above this (MAX_ARG_STRLEN), whatever the total. With its NUL. */
const WORD_BYTES_MAX = 128 * 1024;
/** Linux allows a quarter of the stack limit (2 MiB), macOS 1 MiB. */
const WORDS_BYTES_MAX = 1024 * 1024 - 64 * 1024;
const SAFE_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** Answers that starts of one batch share. Asynchronous, since a directory may be on a network disk that hangs. */
export type StartChecks = { check(job: JobStart, base: Record<string, string>): Promise<{ cwd: string }> };

export function createStartChecks(): StartChecks {
  const folders = new Map<string, Promise<string | null>>();
  const programs = new Map<string, Promise<string | null>>();

  return {
    async check(job, base) {
      checkWords(job);
      const home = base.HOME ?? homedir();
      const cwd = job.cwd === null ? home : job.cwd.replace(/^~(?=\/|$)/, home);
      if (!isAbsolute(cwd)) throw refuse("bad_request", `The working directory "${cwd}" is not absolute.`);
      const folderProblem = await once(folders, cwd, () => problemOfFolder(cwd));
      if (folderProblem !== null) throw refuse("not_found", folderProblem);
      const [program = ""] = job.command;
      const path = job.env.PATH ?? base.PATH ?? "";
      const key = program.includes("/") ? `${cwd}\0${program}` : `${path}\0${program}`;
      const programProblem = await once(programs, key, () => problemOfProgram(program, cwd, path));
      if (programProblem !== null) throw refuse("not_found", programProblem);
      return { cwd };
    },
  };
}

function checkWords(job: JobStart): void {
  if (!SAFE_NAME.test(job.attempt)) throw refuse("bad_request", `"${job.attempt}" cannot name an attempt.`);
  const badName = Object.keys(job.env).find((name) => !ENV_NAME.test(name));
  if (badName !== undefined) {
    throw refuse(
      "bad_request",
      `"${badName}" cannot name an environment variable: use letters, digits and _.`,
    );
  }
  const words = [...job.command, ...Object.entries(job.env).map(([name, value]) => `${name}=${value}`)];
  if (job.cwd !== null) words.push(job.cwd);
  if (words.some((word) => word.includes("\0"))) {
    throw refuse("bad_request", "A command, variable or path holds a NUL byte; no process can be given one.");
  }
  let total = 0;
  for (const word of words) {
    const bytes = Buffer.byteLength(word) + 1;
    total += bytes + 8;
    if (bytes > WORD_BYTES_MAX) {
      throw refuse(
        "too_large",
        `"${word.slice(0, 40)}…" has ${bytes} bytes; the system takes 128 KiB at most.`,
      );
    }
  }
  if (total > WORDS_BYTES_MAX) {
    throw refuse("too_large", `Command and environment have ${total} bytes together; 960 KiB is the limit.`);
  }
}

async function problemOfFolder(cwd: string): Promise<string | null> {
  try {
    if (!(await stat(cwd)).isDirectory()) return `The working directory "${cwd}" is not a directory.`;
    await access(cwd, constants.X_OK);
    return null;
  } catch (error) {
    const isDenied = error instanceof Error && "code" in error && error.code === "EACCES";
    return isDenied
      ? `The working directory "${cwd}" may not be entered by this user.`
      : `The working directory "${cwd}" does not exist on this node.`;
  }
}

async function problemOfProgram(program: string, cwd: string, path: string): Promise<string | null> {
  if (program.includes("/")) {
    return (await isProgram(resolve(cwd, program))) ? null : `"${program}" is not a program on this node.`;
  }
  if (program !== "") {
    for (const folder of path.split(":"))
      if (await isProgram(join(resolve(cwd, folder), program))) return null;
  }
  return `The command "${program}" was not found on this node (PATH is ${path}).`;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

async function once(
  answers: Map<string, Promise<string | null>>,
  key: string,
  ask: () => Promise<string | null>,
): Promise<string | null> {
  let answer = answers.get(key);
  if (answer === undefined) {
    answer = ask();
    answers.set(key, answer);
  }
  return answer;
}

function refuse(code: "bad_request" | "not_found" | "too_large", detail: string): NexusError {
  return new NexusError(code, { detail });
}

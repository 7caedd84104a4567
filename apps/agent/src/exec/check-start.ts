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

/**
 * Answers that starts share for a moment: a job meets what was true when it was checked in any case. Asynchronous, since a
 * directory may be on a network disk that hangs.
 */
export type StartChecks = { check(job: JobStart, base: Record<string, string>): Promise<{ cwd: string }> };

type Answers = Map<string, { answer: Promise<string | null>; goodUntilMs: number }>;

/** Good answers only; who was refused and tries again is looked at again. */
const ANSWER_GOOD_FOR_MS = 2_000;
const ANSWERS_MAX = 1_000;

export function createStartChecks(nowMs: () => number): StartChecks {
  const folders: Answers = new Map();
  const programs: Answers = new Map();

  async function once(
    answers: Answers,
    key: string,
    ask: () => Promise<string | null>,
  ): Promise<string | null> {
    const known = answers.get(key);
    if (known && nowMs() < known.goodUntilMs) return known.answer;
    if (answers.size >= ANSWERS_MAX) answers.clear();
    const answer = ask();
    answers.set(key, { answer, goodUntilMs: nowMs() + ANSWER_GOOD_FOR_MS });
    const problem = await answer;
    if (problem !== null && answers.get(key)?.answer === answer) answers.delete(key);
    return problem;
  }

  return {
    async check(job, base) {
      checkWords(job);
      const home = base.HOME ?? homedir();
      const cwd = job.cwd === null ? home : job.cwd.replace(/^~(?=\/|$)/, home);
      if (!isAbsolute(cwd)) throw refuse("bad_request", `The working directory "${cwd}" is not absolute.`);
      const [program = ""] = job.command;
      const path = job.env.PATH ?? base.PATH ?? "";
      const key = program.includes("/") ? `${cwd}\0${program}` : `${path}\0${program}`;
      const [folderProblem, programProblem] = await Promise.all([
        once(folders, cwd, () => problemOfFolder(cwd)),
        once(programs, key, () => problemOfProgram(program, cwd, path)),
      ]);
      if (folderProblem !== null) throw refuse("not_found", folderProblem);
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
    const [found, entered] = await Promise.allSettled([stat(cwd), access(cwd, constants.X_OK)]);
    if (found.status === "rejected") throw found.reason;
    if (!found.value.isDirectory()) return `The working directory "${cwd}" is not a directory.`;
    if (entered.status === "rejected") throw entered.reason;
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
    const [found] = await Promise.all([stat(path), access(path, constants.X_OK)]);
    return found.isFile();
  } catch {
    return false;
  }
}

function refuse(code: "bad_request" | "not_found" | "too_large", detail: string): NexusError {
  return new NexusError(code, { detail });
}

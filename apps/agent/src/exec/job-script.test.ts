import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { attemptFiles, writeOrder } from "./attempt-files.ts";
import { baseEnvironment, jobEnvironment } from "./job-environment.ts";
import { type JobScript, jobScript, orderScript } from "./job-script.ts";
import { shellQuote } from "./shell-quote.ts";

const SHELLS = ["/bin/sh", "/bin/bash", "/bin/dash"].filter((shell) => existsSync(shell));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nexus-script-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the script as a supervisor's child does, in a real shell. */
function run(shell: string, job: Partial<JobScript>): Buffer {
  const path = join(folder, "job.sh");
  const script = jobScript({ command: ["true"], env: {}, cwd: folder, cgroupProcs: null, ...job });
  const other = jobScript({ command: ["echo", "other"], env: {}, cwd: "/", cgroupProcs: null });
  writeFileSync(
    path,
    orderScript([
      { attempt: "a_0", script: other },
      { attempt: "a_1", script },
    ]),
  );
  return execFileSync(shell, ["-c", `. "${path}"; (begin a_1) 2>/dev/null`], {
    env: { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: folder },
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** Bytes without NUL, as latin1 text. */
const bytes = fc.uint8Array({ min: 1, maxLength: 60 }).map((array) => Buffer.from(array).toString("latin1"));
const word = fc.string({ unit: "grapheme", maxLength: 40 }).map((text) => text.replaceAll("\0", ""));
const trouble = fc.constantFrom(
  "",
  "'",
  "''",
  "\\",
  "\n",
  "$(id)",
  "`id`",
  "-n",
  "--",
  "~",
  "*",
  "\r\n",
  "!!",
  "é\u0081'",
);

describe.each(SHELLS)("in %s", (shell) => {
  it("[J22] any bytes but NUL go through the quoting unchanged", () => {
    fc.assert(
      fc.property(fc.array(bytes, { minLength: 1, maxLength: 20 }), (words) => {
        const script = `printf '%s\\0' ${words.map(shellQuote).join(" ")}`;
        const path = join(folder, "quoted.sh");
        writeFileSync(path, Buffer.from(script, "latin1"));
        const printed = execFileSync(shell, [path], { stdio: ["ignore", "pipe", "inherit"] });
        expect(printed.toString("latin1")).toBe(words.map((one) => `${one}\0`).join(""));
      }),
      { numRuns: 30 },
    );
  });

  it("[J22] arguments reach the command as they were given", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(word, trouble), { maxLength: 12 }), (args) => {
        const printed = run(shell, { command: ["printf", "%s\\0", "first", ...args] }).toString();
        expect(printed).toBe(["first", ...args].map((one) => `${one.toWellFormed()}\0`).join(""));
      }),
      { numRuns: 30 },
    );
  });

  it("[J22] variables reach the command as they were given, also those that a shell keeps for itself", () => {
    const owned = [
      "UID",
      "EUID",
      "PPID",
      "IFS",
      "RANDOM",
      "SECONDS",
      "LINENO",
      "OPTIND",
      "SHELLOPTS",
      "BASHOPTS",
    ];
    const more = [
      "BASH_ENV",
      "ENV",
      "POSIXLY_CORRECT",
      "TMOUT",
      "PS4",
      "HISTSIZE",
      "LC_ALL",
      "PWD",
      "OLDPWD",
      "MAIL",
    ];
    const name = fc.oneof(
      fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,12}$/),
      fc.constantFrom(...owned, ...more, "SHLVL", "_", "GROUPS", "FUNCNAME", "DIRSTACK", "BASHPID", "REPLY"),
    );
    fc.assert(
      fc.property(
        fc.dictionary(name, fc.oneof(word, trouble), { maxKeys: 8, noNullPrototype: true }),
        (given) => {
          const env = { ...given, PATH: "/usr/local/bin:/usr/bin:/bin" };
          const printed = run(shell, { command: ["env", "-0"], env }).toString();
          const seen = new Map(
            printed
              .split("\0")
              .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
          );
          for (const [name, value] of Object.entries(env)) expect(seen.get(name)).toBe(value.toWellFormed());
        },
      ),
      { numRuns: 40 },
    );
  });

  it("[J22] a command that begins with a dash is a command", () => {
    const path = join(folder, "-x");
    writeFileSync(path, '#!/bin/sh\necho dash "$1"\n', { mode: 0o755 });
    expect(run(shell, { command: ["-x", "-y"], env: { PATH: `${folder}:/bin:/usr/bin` } }).toString()).toBe(
      "dash -y\n",
    );
  });

  it("[J22] a shell's own remarks stay out of the log, the command's do not", () => {
    const env = { LC_ALL: "xx_YY.nowhere" };
    expect(run(shell, { command: ["sh", "-c", "echo out; echo err >&2"], env }).toString()).toContain(
      "out\nerr\n",
    );
    expect(run(shell, { command: ["echo", "only"], env: { ...env, LC_ALL: "xx_YY" } }).toString()).toBe(
      "only\n",
    );
  });
});

it("[J24] a job sees its GPUs by UUID, a job without GPUs sees none, and neither can widen that", () => {
  const facts = {
    job: "j_1",
    attempt: "a_1",
    env: { CUDA_VISIBLE_DEVICES: "0,1,2", NEXUS_ATTEMPT_ID: "a_other", X: "1" },
  };
  expect(jobEnvironment({ ...facts, gpus: ["GPU-a", "GPU-b"] })).toEqual({
    X: "1",
    CUDA_VISIBLE_DEVICES: "GPU-a,GPU-b",
    NVIDIA_VISIBLE_DEVICES: "GPU-a,GPU-b",
    NEXUS_JOB_ID: "j_1",
    NEXUS_ATTEMPT_ID: "a_1",
  });
  expect(jobEnvironment({ ...facts, gpus: [] })).toMatchObject({
    CUDA_VISIBLE_DEVICES: "",
    NVIDIA_VISIBLE_DEVICES: "void",
  });
});

it("[J23] jobs begin with the login user's environment and nothing of the agent's own", () => {
  const agentEnv = {
    PATH: "/home/u/.npm/_npx/1/node_modules/.bin:/usr/bin:./bin:/bin:/usr/bin",
    LANG: "de_DE.UTF-8",
    NEXUS_URL: "https://nexus.example",
    NODE_OPTIONS: "--inspect",
    npm_config_cache: "/x",
  };
  expect(baseEnvironment(agentEnv, { username: "u", homedir: "/home/u", shell: "/bin/zsh" })).toEqual({
    PATH: "/usr/bin:/bin",
    HOME: "/home/u",
    USER: "u",
    LOGNAME: "u",
    SHELL: "/bin/zsh",
    LANG: "de_DE.UTF-8",
    TERM: "dumb",
    TMPDIR: "/tmp",
    PYTHONUNBUFFERED: "1",
  });
});

it("[J23] the script, with its secrets, is for the job's user alone", () => {
  const made = attemptFiles(folder, "a_secret", "a_first");
  writeFileSync(made.order, "debris", { mode: 0o644 });
  writeOrder(made, "secret");
  expect(statSync(made.order).mode & 0o777).toBe(0o600);
  expect(readFileSync(made.order, "utf8")).toBe("secret");
});

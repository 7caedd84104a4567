import { readFile } from "node:fs/promises";
import { type JobSpecInput, LOST_AFTER_MS, RETRY_ATTEMPTS_MAX } from "@nexus/shared/api/schemas";
import { durationText } from "@nexus/shared/duration-text";
import { NexusError } from "@nexus/shared/errors";
import { GPUS_PER_JOB_MAX } from "@nexus/shared/protocol/limits";
import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import {
  DAY_MS,
  parseCount,
  parseDurationMs,
  parseInteger,
  parseMemoryMib,
  within,
} from "../terminal/parse-amounts.ts";
import { parseEnvFile } from "./env-file.ts";

/** What `run` and `add` are told about a job, as commander hands it over. */
export type JobOptions = {
  gpus?: string;
  gpuMemory?: string;
  gpuModel?: string;
  env?: string[];
  envFile?: string[];
  cwd?: string;
  timeout?: string;
  retryLost?: string;
  lostAfter?: string;
  label?: string[];
  queue?: string;
  priority?: string;
  name?: string;
  target?: string;
};

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

const parseGpus = (text: string, what: string) =>
  within(parseCount(text, what), what, { min: 0, max: GPUS_PER_JOB_MAX });
const parsePriority = (text: string, what: string) =>
  within(parseInteger(text, what), what, { min: -1000, max: 1000 });
const parseTimeout = (text: string, what: string) =>
  within(parseDurationMs(text, what), what, { min: 1000, max: 366 * DAY_MS, show: durationText });

const parseRetries = (text: string, what: string) =>
  within(parseCount(text, what), what, { min: 1, max: RETRY_ATTEMPTS_MAX });
const parseLostAfter = (text: string, what: string) =>
  within(parseDurationMs(text, what), what, { ...LOST_AFTER_MS, show: durationText });

/** A folder of the target: what is relative here means nothing there. */
function parseFolder(text: string, what: string): string {
  if (/^(\/|~(\/|$))/.test(text)) return text;
  throw new NexusError("bad_request", {
    detail: `${what}: "${text}" is a folder on the target; begin it with / or ~/.`,
  });
}

const gather = (value: string, before: string[] = []) => [...before, value];

export function addJobOptions(command: Command): Command {
  return command
    .option("-g, --gpus <n>", "GPUs for the job (default: 1 where the fleet has GPUs)")
    .option(
      "--gpu-memory <size>",
      "free memory that each GPU must have, such as 20GiB; such jobs may share a GPU",
    )
    .option("--gpu-model <text>", "part of the GPU's name, such as h100")
    .option("-e, --env <KEY[=VALUE]>", "set a variable, or pass on your own; repeatable", gather)
    .option("--env-file <file>", "read variables from a file; repeatable", gather)
    .option("-C, --cwd <dir>", "folder on the target to run in")
    .option("--timeout <time>", "end the job after this long, such as 90s, 10m or 2h")
    .option(
      "--retry-lost <n>",
      "start it again elsewhere, up to n times, when its node is silent for --lost-after; what began there may still run, so the two may overlap",
    )
    .option("--lost-after <time>", "how long silence counts as loss for --retry-lost (default: 10m)")
    .option("-l, --label <key=value>", "run only where the target carries this label; repeatable", gather)
    .option("-q, --queue <name>", "queue to join")
    .option("-p, --priority <n>", "higher goes first")
    .option("--name <name>", "a name for people");
}

/** @param fallback the target of this home, when none is named and no label narrows the choice. */
export async function toJobSpec(
  cli: Cli,
  { command, options, fallback }: { command: string[]; options: JobOptions; fallback: string | undefined },
): Promise<JobSpecInput> {
  const labels = pairs(options.label ?? [], "--label");
  const target = options.target ?? (options.label ? undefined : fallback);
  const env = await readEnv(cli, options);
  const given = <K extends string, V>(key: K, value: V | undefined) =>
    (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
  return {
    command,
    env,
    labels,
    ...given("gpus", parsed(options.gpus, parseGpus, "--gpus")),
    ...given("gpuMemoryMib", parsed(options.gpuMemory, parseMemoryMib, "--gpu-memory")),
    ...given("gpuModel", options.gpuModel),
    ...given("cwd", parsed(options.cwd, parseFolder, "--cwd")),
    ...given("timeoutMs", parsed(options.timeout, parseTimeout, "--timeout")),
    ...given("retry", toRetry(options)),
    ...given("queue", options.queue),
    ...given("priority", parsed(options.priority, parsePriority, "--priority")),
    ...given("name", options.name),
    ...given("target", target),
  };
}

function toRetry({ retryLost, lostAfter }: JobOptions): JobSpecInput["retry"] {
  const lostAfterMs = parsed(lostAfter, parseLostAfter, "--lost-after");
  const attempts = parsed(retryLost, parseRetries, "--retry-lost");
  if (attempts !== undefined)
    return { on: ["lost"], attempts, ...(lostAfterMs === undefined ? {} : { lostAfterMs }) };
  if (lostAfterMs === undefined) return undefined;
  throw new NexusError("bad_request", {
    detail: "--lost-after says when --retry-lost counts a job as lost: give --retry-lost <n> too.",
  });
}

export function pairs(items: string[], what: string): Record<string, string> {
  return Object.fromEntries(
    items.map((item) => {
      const at = item.indexOf("=");
      if (at > 0) return [item.slice(0, at), item.slice(at + 1)];
      throw new NexusError("bad_request", { detail: `${what}: "${item}" is not of the form key=value.` });
    }),
  );
}

/** Files first, in their order; then `-e`, which wins. */
async function readEnv(cli: Cli, options: JobOptions): Promise<Record<string, string>> {
  const env: Record<string, string> = {};
  for (const path of options.envFile ?? []) {
    const text = await readFile(path, "utf8").catch((cause: Error) => {
      throw new NexusError("bad_request", { detail: `--env-file: ${cause.message}`, cause });
    });
    Object.assign(env, parseEnvFile(text, path));
  }
  for (const item of options.env ?? []) {
    const at = item.indexOf("=");
    const name = at < 0 ? item : item.slice(0, at);
    const value = at < 0 ? cli.env[name] : item.slice(at + 1);
    if (!ENV_NAME.test(name)) {
      throw new NexusError("bad_request", {
        detail: `-e: "${name}" cannot name a variable: letters, digits and _, not beginning with a digit.`,
      });
    }
    if (value === undefined) {
      throw new NexusError("bad_request", {
        detail: `-e ${name}: your shell has no such variable; write -e ${name}=value.`,
      });
    }
    env[name] = value;
  }
  return env;
}

function parsed<T>(
  text: string | undefined,
  parse: (text: string, what: string) => T,
  what: string,
): T | undefined {
  return text === undefined ? undefined : parse(text, what);
}

/** The server names fields of the job; who typed options knows those. */
export function inOptionWords(cause: unknown): never {
  if (!(cause instanceof NexusError) || cause.code !== "bad_request") throw cause;
  const detail = cause.message.replace(
    /(^|; )jobs\[\d+\]\.(\w+)/g,
    (whole, before: string, field: string) => {
      const option = OPTION_OF[field];
      return option === undefined ? whole : `${before}${option}`;
    },
  );
  throw new NexusError("bad_request", { detail, cause });
}

const OPTION_OF: Record<string, string> = {
  command: "the command",
  env: "-e",
  labels: "--label",
  gpus: "--gpus",
  gpuMemoryMib: "--gpu-memory",
  gpuModel: "--gpu-model",
  cwd: "--cwd",
  timeoutMs: "--timeout",
  retry: "--retry-lost",
  queue: "--queue",
  priority: "--priority",
  name: "--name",
  target: "--target",
};

/** The submit form's fields as text, and the job they describe. Pure. */

import {
  type Job,
  type JobSpecInput,
  jobSpecSchema,
  LOST_AFTER_MS,
  RETRY_ATTEMPTS_MAX,
} from "@nexus/shared/api/schemas";
import { commandText } from "@nexus/shared/command-text";
import { formatLabels, parseLabels } from "../../ui/labels-text.ts";
import { splitCommand } from "./split-command.ts";

export type EnvRow = { id: number; name: string; value: string };

export type JobForm = {
  /** A shell line; with `script` it is given to `sh -c` as it stands. */
  command: string;
  script: boolean;
  name: string;
  cwd: string;
  env: EnvRow[];
  gpus: string;
  gpuMemoryGib: string;
  gpuModel: string;
  timeout: string;
  /** How often it is started again when its node is lost; empty never. */
  retryLost: string;
  lostAfter: string;
  where: "any" | "target" | "labels";
  target: string;
  labels: string;
  queue: string;
  priority: string;
};

export const EMPTY_FORM: JobForm = {
  command: "",
  script: false,
  name: "",
  cwd: "",
  env: [],
  gpus: "",
  gpuMemoryGib: "",
  gpuModel: "",
  timeout: "",
  retryLost: "",
  lostAfter: "10m",
  where: "any",
  target: "",
  labels: "",
  queue: "default",
  priority: "0",
};

export type FormErrors = Partial<Record<keyof JobForm, string>>;

export function readForm(
  form: JobForm,
): { spec: JobSpecInput; errors: null } | { spec: null; errors: FormErrors } {
  const errors: FormErrors = {};
  const command = form.script ? ["sh", "-c", form.command] : splitCommand(form.command);
  if (form.command.trim() === "") errors.command = "What should run?";
  else if (command === null) errors.command = "A quote is not closed.";
  else if (!form.script && looksLikeShell(form.command)) {
    errors.command = "Pipes, && and $variables need a shell: switch “Run in a shell” on.";
  }
  const timeoutMs = form.timeout.trim() === "" ? undefined : parseDuration(form.timeout);
  if (typeof timeoutMs === "number" && (timeoutMs < 1000 || timeoutMs > 366 * 86_400_000)) {
    errors.timeout = "From 1s to 366d.";
  }
  if (timeoutMs === null) errors.timeout = "A time such as 90s, 30m, 12h or 2d.";
  const lostAfterMs = parseDuration(form.lostAfter);
  const { min, max } = LOST_AFTER_MS;
  const retries = whole(form.retryLost);
  if (retries === null) errors.retryLost = "A whole number.";
  else if (retries !== undefined && (retries < 0 || retries > RETRY_ATTEMPTS_MAX))
    errors.retryLost = `From 0 to ${RETRY_ATTEMPTS_MAX}.`;
  if (retries && (lostAfterMs === null || lostAfterMs < min || lostAfterMs > max))
    errors.lostAfter = "A time from 10s to 30d, such as 10m.";
  const numbers = {
    gpus: whole(form.gpus),
    gpuMemoryMib: gib(form.gpuMemoryGib),
    priority: whole(form.priority),
  };
  if (numbers.gpus === null) errors.gpus = "A whole number.";
  if (numbers.gpuMemoryMib === null) errors.gpuMemoryGib = "A number of GiB.";
  if (numbers.priority === null) errors.priority = "A whole number.";
  if (form.where === "target" && form.target === "") errors.target = "Choose a target.";
  if (Object.keys(errors).length > 0) return { spec: null, errors };

  const parsed = jobSpecSchema.safeParse({
    command,
    name: form.name.trim() || undefined,
    cwd: form.cwd.trim() || undefined,
    env: Object.fromEntries(form.env.filter((row) => row.name !== "").map((row) => [row.name, row.value])),
    gpus: numbers.gpus,
    gpuMemoryMib: numbers.gpuMemoryMib,
    gpuModel: form.gpuModel.trim() || undefined,
    timeoutMs: timeoutMs ?? undefined,
    retry: retries ? { on: ["lost"], attempts: retries, lostAfterMs } : undefined,
    target: form.where === "target" ? form.target : undefined,
    labels: form.where === "labels" ? parseLabels(form.labels) : {},
    queue: form.queue,
    priority: numbers.priority ?? 0,
  });
  if (parsed.success) return { spec: parsed.data, errors: null };
  for (const issue of parsed.error.issues) {
    const field = FIELD_OF[String(issue.path[0])];
    if (field) errors[field] ??= sentence(issue.message);
  }
  return { spec: null, errors };
}

/** `must be at most 1000` stands alone below its field. */
function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.?!]$/.test(words) ? "" : "."}`;
}

/** A copy of a job, ready to be changed. */
export function formOf(job: Job): JobForm {
  const [shell, flag, script, ...rest] = job.command;
  const isScript = shell === "sh" && flag === "-c" && script !== undefined && rest.length === 0;
  const labels = formatLabels(job.labels);
  return {
    command: isScript ? script : commandText(job.command),
    script: isScript,
    name: job.name ?? "",
    cwd: job.cwd ?? "",
    env: Object.entries(job.env).map(([name, value], id) => ({ id, name, value })),
    gpus: String(job.gpus),
    gpuMemoryGib: job.gpuMemoryMib === null ? "" : String(job.gpuMemoryMib / 1024),
    gpuModel: job.gpuModel ?? "",
    timeout: job.timeoutMs === null ? "" : `${Math.round(job.timeoutMs / 1000)}s`,
    retryLost: job.retry === null ? "" : String(job.retry.attempts),
    lostAfter: job.retry === null ? EMPTY_FORM.lostAfter : `${Math.round(job.retry.lostAfterMs / 1000)}s`,
    where: job.wantedTarget ? "target" : labels ? "labels" : "any",
    target: job.wantedTarget ?? "",
    labels,
    queue: job.queue,
    priority: String(job.priority),
  };
}

/** "90s", "1h 30m", "45" (minutes). @returns ms, or null when it is none. */
export function parseDuration(text: string): number | null {
  const trimmed = text.trim().toLowerCase();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed) * 60_000;
  if (!/^(\d+(\.\d+)?\s*(s|m|min|h|d)\s*)+$/.test(trimmed)) return null;
  let ms = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)\s*(s|min|m|h|d)/g)) {
    ms += Number(amount) * (UNIT_MS[unit ?? "s"] ?? 0);
  }
  return Math.round(ms);
}

const UNIT_MS: Record<string, number> = { s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

const FIELD_OF: Record<string, keyof JobForm> = {
  command: "command",
  name: "name",
  cwd: "cwd",
  env: "env",
  gpus: "gpus",
  gpuMemoryMib: "gpuMemoryGib",
  gpuModel: "gpuModel",
  timeoutMs: "timeout",
  retry: "retryLost",
  target: "target",
  labels: "labels",
  queue: "queue",
  priority: "priority",
};

/** Who names a shell means its script for that shell, in whichever quotes. */
const SHELL_SCRIPT = /^(\s*(?:\/\S*\/)?(?:sh|bash|dash|zsh|ksh)\s+(?:-\S+\s+)*?-\w*c\s+)"(?:\\.|[^"\\])*"/;

/** Things that only a shell does: anything outside of quotes, and $variables within double ones. */
function looksLikeShell(command: string): boolean {
  let doubleQuoted = "";
  const bare = command.replace(SHELL_SCRIPT, "$1").replace(/'[^']*'|"(?:\\.|[^"\\])*"|\\./g, (part) => {
    if (part.startsWith('"')) doubleQuoted += part.replace(/\\./g, "");
    return "";
  });
  return /[|&;<>`]|\$[({\w]/.test(bare) || /\$[({\w]/.test(doubleQuoted);
}

function whole(text: string): number | undefined | null {
  if (text.trim() === "") return undefined;
  return /^-?\d+$/.test(text.trim()) ? Number(text) : null;
}

function gib(text: string): number | undefined | null {
  if (text.trim() === "") return undefined;
  const value = Number(text);
  return Number.isFinite(value) && value > 0 ? Math.round(value * 1024) : null;
}

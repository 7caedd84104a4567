/** nvidia-smi's command lines and what they answer once: the shell's questions before and beside the loops. */
import { readdir } from "node:fs/promises";
import { APP_FIELDS, type AppRow, parseAppRow } from "./parse-apps-csv.ts";
import { busIdKey, chooseGpuFields, type GpuRow, parseGpuRow, parseHelpFields } from "./parse-gpu-csv.ts";
import { type ListedGpu, parseList } from "./parse-list.ts";
import { runOnce } from "./run-once.ts";
import { explainSmi, type SmiProblem } from "./smi-problem.ts";

/** A cold start of the driver on eight devices takes seconds (6 s seen in public reports); a stuck one takes for ever. */
const ANSWER_DEADLINE_MS = 20_000;

const FORMAT = "--format=csv,noheader,nounits";

export type Answer<T> = { ok: true; value: T } | { ok: false; problem: SmiProblem };

export function gpuQuery(fields: readonly string[], ids: readonly string[]): string[] {
  return [`--query-gpu=${fields.join(",")}`, FORMAT, ...onlyIds(ids)];
}

export function appsQuery(ids: readonly string[]): string[] {
  return [`--query-compute-apps=${APP_FIELDS.join(",")}`, FORMAT, ...onlyIds(ids)];
}

/** Names the devices to ask. Without, one device that cannot be opened hides all others. */
function onlyIds(ids: readonly string[]): string[] {
  return ids.length === 0 ? [] : [`--id=${ids.join(",")}`];
}

export function loop(query: readonly string[], intervalMs: number): string[] {
  return [...query, "-lms", String(intervalMs)];
}

/** @returns the fields that this driver knows of those that we want */
export async function askFields(command: string): Promise<Answer<string[]>> {
  const result = await runOnce(command, ["--help-query-gpu"], ANSWER_DEADLINE_MS);
  const fields = chooseGpuFields(parseHelpFields(result.stdout));
  if (fields.includes("uuid") && fields.includes("index")) return { ok: true, value: fields };
  return refusal(result);
}

/** A lost device makes the code non-zero while the others are still listed, so the code does not matter here. */
export async function askList(command: string): Promise<{ gpus: ListedGpu[]; lostBusIds: string[] }> {
  const result = await runOnce(command, ["-L"], ANSWER_DEADLINE_MS);
  const { lostBusIds } = explainSmi({ code: result.code, lines: linesOf(result) });
  return { gpus: parseList(result.stdout), lostBusIds };
}

/** @returns "13.1", or null: older versions of nvidia-smi do not know `--version`. Since 610 the name is "CUDA UMD version". */
export async function askCudaVersion(command: string): Promise<string | null> {
  const result = await runOnce(command, ["--version"], ANSWER_DEADLINE_MS);
  return /^CUDA (?:UMD )?version\s*:\s*(\d[\d.]*)/im.exec(result.stdout)?.[1] ?? null;
}

export async function askGpus(
  command: string,
  fields: readonly string[],
  ids: readonly string[],
): Promise<Answer<GpuRow[]>> {
  const result = await runOnce(command, gpuQuery(fields, ids), ANSWER_DEADLINE_MS);
  const rows = rowsOf(result.stdout, (line) => parseGpuRow(fields, line));
  return rows.length > 0 ? { ok: true, value: rows } : refusal(result);
}

/** The end of the output is the end of the round here, so that no row means no process. */
export async function askApps(command: string, ids: readonly string[]): Promise<Answer<AppRow[]>> {
  const result = await runOnce(command, appsQuery(ids), ANSWER_DEADLINE_MS);
  return result.code === 0 ? { ok: true, value: rowsOf(result.stdout, parseAppRow) } : refusal(result);
}

/** The kernel module's own list of devices, without those that are lost. Empty where the module tells nothing. */
export async function survivingBusIds(procRoot: string, lost: ReadonlySet<string>): Promise<string[]> {
  const names = await readdir(`${procRoot}/driver/nvidia/gpus`).catch(() => []);
  return names.filter((name) => {
    const key = busIdKey(name);
    return key !== null && !lost.has(key);
  });
}

function rowsOf<Row>(stdout: string, parse: (line: string) => Row | null): Row[] {
  return stdout
    .split(/\r?\n/)
    .map(parse)
    .filter((row) => row !== null);
}

function refusal(result: { code: number | null; stdout: string; stderr: string; timedOut: boolean }): {
  ok: false;
  problem: SmiProblem;
} {
  if (result.timedOut) {
    return { ok: false, problem: { reason: "nvidia-smi does not answer", lostBusIds: [] } };
  }
  return { ok: false, problem: explainSmi({ code: result.code, lines: linesOf(result) }) };
}

function linesOf(result: { stdout: string; stderr: string }): string[] {
  return `${result.stdout}\n${result.stderr}`.split(/\r?\n/);
}

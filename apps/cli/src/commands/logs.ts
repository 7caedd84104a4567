import { decodeLogTroubles } from "@nexus/shared/api/log-troubles";
import { NexusError } from "@nexus/shared/errors";
import type { Command } from "commander";
import { connect } from "../api/connect.ts";
import { followLog, query } from "../api/log-stream.ts";
import { type Cli, note, print } from "../cli.ts";
import { findJob } from "../jobs/find-job.ts";
import { createTroubleTeller } from "../jobs/log-troubles.ts";
import { EXIT_CANCELLED } from "../jobs/outcome.ts";
import { openLogWriter } from "../terminal/log-writer.ts";
import { parseCount, parseDurationMs } from "../terminal/parse-amounts.ts";
import { plainJson } from "../terminal/plain.ts";
import { addExamples, addJsonOption } from "./common-options.ts";
import { type GrepOptions, grepLog, toSearch } from "./grep-log.ts";

type LogOptions = GrepOptions & {
  follow?: boolean;
  lines?: string;
  since?: string;
  raw?: boolean;
  try?: string;
  json?: boolean;
};
type From = Parameters<typeof followLog>[0]["from"];

export function addLogs(program: Command, cli: Cli): void {
  const command = program
    .command("logs")
    .description("what a job wrote")
    .argument("[id]", "the job's id or the beginning of it (default: your latest)")
    .option("-f, --follow", "go on until the job has ended; Ctrl-C only leaves")
    .option("-n, --lines <n>", "begin this many lines before the end")
    .option("--since <time>", "begin with what was written this long ago, such as 10m")
    .option("--grep <pattern>", "only lines that match this regular expression, with their numbers")
    .option("-i, --ignore-case", "with --grep: upper and lower case are the same")
    .option("-F, --fixed-strings", "with --grep: the pattern is text, not an expression")
    .option("-C, --context <n>", "with --grep: so many lines around each as well")
    .option("-c, --count", "with --grep: only how many lines match")
    .option("--try <n>", "of a job that was started again: what its nth try wrote (default: the latest)")
    .option("--raw", "show it as it is, also what could take over this terminal");
  addExamples(command, [
    ["nexus logs -f", "follow your latest job"],
    ["nexus logs j_7k2 -n 100", "its last 100 lines"],
    ["nexus logs j_7k2 --since 10m > out.log", "byte by byte into a file"],
    ["nexus logs j_7k2 --grep 'loss.*nan' -C 3", "where it went wrong; the search runs on the server"],
  ]);
  addJsonOption(command).action(async (id: string | undefined, options: LogOptions) => {
    await showLog(cli, id, options);
  });
}

async function showLog(cli: Cli, id: string | undefined, options: LogOptions): Promise<void> {
  const from = toFrom(options);
  const search = toSearch(options);
  const nth = options.try === undefined ? "" : `&try=${parseCount(options.try, "--try")}`;
  if (nth !== "" && (options.follow || search !== null)) {
    throw new NexusError("bad_request", {
      detail: "--try reads what one try wrote; leave out --follow and --grep.",
    });
  }
  const { api } = await connect(cli);
  const job = await findJob(api, id);
  const leave = new AbortController();
  const onSignal = () => leave.abort();
  process.on("SIGINT", onSignal);
  if (search !== null) {
    const query = { ...search, ...placeOf(from) };
    const { signal } = leave;
    try {
      await grepLog(cli, { api, job: job.id, query, isJson: options.json === true, signal });
    } catch (cause) {
      if (!signal.aborted) throw cause;
      cli.exitCode = EXIT_CANCELLED;
    } finally {
      process.off("SIGINT", onSignal);
    }
    return;
  }
  const decoder = new TextDecoder();
  const output = openLogWriter(cli, { isRaw: options.raw === true || options.json === true });
  const onTroubles = createTroubleTeller(cli, { json: options.json === true });
  const show = async ({ offset, bytes }: { offset: number; bytes: Uint8Array }) => {
    const line = () =>
      `${plainJson({ type: "log", offset, text: decoder.decode(bytes, { stream: true }) })}\n`;
    await output.write(options.json ? Buffer.from(line()) : bytes);
  };
  try {
    if (options.follow) {
      const onAgain = () => note(cli, `nexus: ${job.id} was started again; its log begins anew`);
      const onAway = (isAway: boolean) =>
        note(cli, isAway ? "nexus: the server cannot be reached; trying again…" : "nexus: connected again");
      const { signal } = leave;
      for await (const piece of followLog({ api, job: job.id, from, signal, onAway, onAgain, onTroubles }))
        await show(piece);
    } else await readAll(from);
  } finally {
    process.off("SIGINT", onSignal);
    output.end();
  }
  if (options.json) print(cli, plainJson({ type: "end", job: await findJob(api, job.id) }));

  async function readAll(start: From): Promise<void> {
    let at = start;
    let end = Number.POSITIVE_INFINITY;
    for (;;) {
      const response = await api.open(
        `/api/v1/jobs/${encodeURIComponent(job.id)}/log?${query(at)}${nth}`,
        leave.signal,
      );
      const offset = Number(response.headers.get("x-log-offset"));
      // What is written while we read belongs to the next reading; else a busy job would never let us end.
      end = Math.min(end, Number(response.headers.get("x-log-size")));
      const bytes = new Uint8Array(await response.arrayBuffer()).subarray(0, Math.max(0, end - offset));
      if (bytes.byteLength > 0) await show({ offset, bytes });
      at = { offset: offset + bytes.byteLength };
      if (bytes.byteLength > 0 && at.offset < end) continue;
      onTroubles(decodeLogTroubles(response.headers.get("x-log-troubles")));
      return;
    }
  }
}

function placeOf(from: From): { offset?: number; tail?: number; since?: number } {
  return "agoMs" in from ? { since: from.agoMs } : from;
}

function toFrom({ lines, since }: LogOptions): From {
  if (lines !== undefined && since !== undefined) {
    throw new NexusError("bad_request", { detail: "Give --lines or --since, not both." });
  }
  if (lines !== undefined) return { tail: parseCount(lines, "--lines") };
  if (since !== undefined) return { agoMs: parseDurationMs(since, "--since") };
  return { offset: 0 };
}

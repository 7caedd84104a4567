import { durationText } from "@nexus/shared/duration-text";
import type { Command } from "commander";
import { connect } from "../api/connect.ts";
import { type Cli, print } from "../cli.ts";
import { exitCodeOfResults } from "../jobs/exit-code-of-results.ts";
import { findUnfinishedJob } from "../jobs/find-job.ts";
import { parseDurationMs, within } from "../terminal/parse-amounts.ts";
import { plain, plainJson } from "../terminal/plain.ts";
import { withSpinner } from "../terminal/spinner.ts";
import { addExamples, addJsonOption } from "./common-options.ts";

type KillOptions = { grace?: string; json?: boolean };

export function addKill(program: Command, cli: Cli): void {
  const command = program
    .command("kill")
    .description("end jobs, or take them out of the line")
    .argument("[id...]", "ids or beginnings of them (default: your latest that has not ended)")
    .option("--grace <time>", "time between TERM and KILL");
  addExamples(command, [
    ["nexus kill", "your latest job that has not ended"],
    ["nexus kill j_7k2 j_9m4 --grace 1m", "two jobs, with a minute to clean up"],
  ]);
  addJsonOption(command).action(async (ids: string[], options: KillOptions) => {
    await kill(cli, ids, options);
  });
}

async function kill(cli: Cli, ids: string[], options: KillOptions): Promise<void> {
  const graceMs = options.grace === undefined ? undefined : parseGrace(options.grace);
  const { api } = await connect(cli);
  const jobs = ids.length > 0 ? ids : [(await findUnfinishedJob(api)).id];
  const input = { jobs, ...(graceMs === undefined ? {} : { graceMs }) };
  const { results } = await withSpinner(cli.stderr, "Ending", api.callAgain("jobs.cancel", input));
  cli.exitCode = exitCodeOfResults(results);
  if (options.json) {
    print(cli, plainJson({ results }, 2));
    return;
  }
  for (const { job, ok, message } of results) {
    const sign = ok ? cli.paint("green", "✓") : cli.paint("red", "✗");
    print(cli, `${sign} ${plain(job)}  ${plain(message)}`);
  }
}

function parseGrace(text: string): number {
  const graceMs = parseDurationMs(text, "--grace");
  return within(graceMs, "--grace", { min: 0, max: 3_600_000, show: durationText });
}

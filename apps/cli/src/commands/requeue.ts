import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import { connect } from "../api/connect.ts";
import { type Cli, print } from "../cli.ts";
import { exitCodeOfResults } from "../jobs/exit-code-of-results.ts";
import { plain, plainJson } from "../terminal/plain.ts";
import { withSpinner } from "../terminal/spinner.ts";
import { addExamples, addJsonOption } from "./common-options.ts";

export function addRequeue(program: Command, cli: Cli): void {
  const command = program
    .command("requeue")
    .description(
      "put jobs back in the line: those of silent nodes, whose processes may run on there, and copies of ended ones",
    )
    .argument("<id...>", "ids of jobs whose node is silent, or that are over");
  addExamples(command, [
    ["nexus requeue j_7k2m9x4tqa", "do not wait for its silent node any longer"],
    ["nexus requeue j_9m4h1c8pzd --json", "another job like one that failed; prints its id in `queued`"],
  ]);
  addJsonOption(command).action(async (jobs: string[], options: { json?: boolean }) => {
    await requeue(cli, jobs, options.json === true);
  });
}

async function requeue(cli: Cli, jobs: string[], isJson: boolean): Promise<void> {
  const { api } = await connect(cli);
  const input = { jobs, submitKey: randomUUID() };
  // Asked once: of silent jobs a second ask is refused, since they wait in the line, and would call failed what was done.
  const { results } = await withSpinner(cli.stderr, "Queueing", api.call("jobs.requeue", input));
  cli.exitCode = exitCodeOfResults(results);
  if (isJson) {
    print(cli, plainJson({ results }, 2));
    return;
  }
  for (const { job, ok, message } of results) {
    const sign = ok ? cli.paint("green", "✓") : cli.paint("red", "✗");
    print(cli, `${sign} ${plain(job)}  ${plain(message)}`);
  }
}

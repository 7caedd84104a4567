import { NexusError } from "@nexus/shared/errors";
import type { Command } from "commander";
import { connect } from "../api/connect.ts";
import { type Cli, print } from "../cli.ts";
import { parseInteger, within } from "../terminal/parse-amounts.ts";
import { plain, plainJson } from "../terminal/plain.ts";
import { withSpinner } from "../terminal/spinner.ts";
import { addExamples, addJsonOption } from "./common-options.ts";

/** Some of the named jobs could not be moved; each line says why. */
const EXIT_SOME_FAILED = 1;

type MoveOptions = { queue?: string; priority?: string; top?: boolean; json?: boolean };

export function addMove(program: Command, cli: Cli): void {
  const command = program
    .command("move")
    .description("give waiting jobs another queue or another place in the line")
    .argument("<id...>", "ids of jobs that wait")
    .option("-q, --queue <name>", "the queue that they join")
    .option("-p, --priority <n>", "higher goes first")
    .option("--top", "above all that wait in their queue");
  addExamples(command, [
    ["nexus move j_7k2m9x4tqa -q night", "into another queue"],
    ["nexus move j_7k2m9x4tqa j_9m4h1c8pzd --top", "both to the top of the line"],
  ]);
  addJsonOption(command).action(async (jobs: string[], options: MoveOptions) => {
    await move(cli, jobs, options);
  });
}

async function move(cli: Cli, jobs: string[], { queue, priority, top, json }: MoveOptions): Promise<void> {
  if (queue === undefined && priority === undefined && !top) {
    throw new NexusError("bad_request", { detail: "Say where to: --queue, --priority or --top." });
  }
  if (priority !== undefined && top) {
    throw new NexusError("bad_request", { detail: "--top is a priority of its own: name one of them." });
  }
  const { api } = await connect(cli);
  const input = {
    jobs,
    ...(queue === undefined ? {} : { queue }),
    ...(priority === undefined
      ? {}
      : {
          priority: within(parseInteger(priority, "--priority"), "--priority", { min: -1000, max: 1000 }),
        }),
    top: top === true,
  };
  const { results } = await withSpinner(cli.stderr, "Moving", api.call("jobs.move", input));
  if (results.some(({ ok }) => !ok)) cli.exitCode = EXIT_SOME_FAILED;
  if (json) {
    print(cli, plainJson({ results }, 2));
    return;
  }
  for (const { job, ok, message } of results) {
    const sign = ok ? cli.paint("green", "✓") : cli.paint("red", "✗");
    print(cli, `${sign} ${plain(job)}  ${plain(message)}`);
  }
}

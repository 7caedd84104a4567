import { randomUUID } from "node:crypto";
import { NexusError } from "@nexus/shared/errors";
import { explainReason } from "@nexus/shared/scheduler/reason";
import type { Command } from "commander";
import { connect } from "../api/connect.ts";
import { type Cli, note, print } from "../cli.ts";
import { addJobOptions, type JobOptions, toJobSpec } from "../jobs/job-options.ts";
import { countText } from "../terminal/amounts.ts";
import { parseCount } from "../terminal/parse-amounts.ts";
import { plain, plainJson } from "../terminal/plain.ts";
import { withSpinner } from "../terminal/spinner.ts";
import { addCommonOptions, type CommonOptions } from "./common-options.ts";

type AddOptions = JobOptions & CommonOptions & { times?: string };

const TIMES_MAX = 1000;

export function addAdd(program: Command, cli: Cli): void {
  const command = program
    .command("add")
    .description("put a job into the shared line; it starts when its turn comes")
    .argument("<command...>", "the command and its arguments, best after --")
    .option("-n, --times <n>", "add it this many times");
  addCommonOptions(addJobOptions(command))
    .passThroughOptions()
    .action(async (argv: string[], options: AddOptions) => {
      await add(cli, argv, options);
    });
}

async function add(cli: Cli, command: string[], options: AddOptions): Promise<void> {
  const times = options.times === undefined ? 1 : parseCount(options.times, "--times");
  if (times < 1 || times > TIMES_MAX) {
    throw new NexusError("bad_request", { detail: `--times: 1 to ${TIMES_MAX}.` });
  }
  const { api, target } = await connect(cli);
  const spec = await toJobSpec(cli, { command, options, fallback: target });
  const input = { jobs: Array.from({ length: times }, () => spec), submitKey: randomUUID() };
  const { jobs } = await withSpinner(cli.stderr, "Adding", api.callAgain("jobs.submit", input));
  if (options.json) {
    print(cli, plainJson({ jobs }, 2));
    return;
  }
  print(
    cli,
    jobs.map(({ id }) => plain(id)),
  );
  const [first] = jobs;
  if (!cli.stderr.isTTY || !first) return;
  const why = first.reason && first.reason.code !== "new" ? `: ${plain(explainReason(first.reason))}` : "";
  note(
    cli,
    cli.paintErr(
      "dim",
      `${countText(jobs.length, "job")} in queue ${plain(first.queue)}${why}. See them: nexus queue`,
    ),
  );
}

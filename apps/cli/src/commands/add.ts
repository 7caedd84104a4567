import { randomUUID } from "node:crypto";
import type { Job } from "@nexus/shared/api/schemas";
import { explainReason } from "@nexus/shared/scheduler/reason";
import type { Command } from "commander";
import { connect } from "../api/connect.ts";
import { type Cli, note, print } from "../cli.ts";
import { addJobOptions, inOptionWords, type JobOptions, toJobSpec } from "../jobs/job-options.ts";
import { countText } from "../terminal/amounts.ts";
import { parseCount, within } from "../terminal/parse-amounts.ts";
import { plain, plainJson } from "../terminal/plain.ts";
import { withSpinner } from "../terminal/spinner.ts";
import { addCommonOptions, addExamples, type CommonOptions } from "./common-options.ts";

type AddOptions = JobOptions & CommonOptions & { times?: string };

const TIMES_MAX = 1000;

export function addAdd(program: Command, cli: Cli): void {
  const command = program
    .command("add")
    .description("put a job into the shared line; it starts when its turn comes")
    .argument("<command...>", "the command and its arguments, best after --")
    .option("-n, --times <n>", "add it this many times");
  addExamples(command, [
    ["nexus add -g 8 --timeout 12h -- ./train.sh", "when eight GPUs are free on one machine"],
    ["nexus add -q night -p 5 -n 10 -- ./sweep.sh", "ten times, ahead of others in queue night"],
    ["nexus add --retry-lost 2 --lost-after 30m -- ./resume.sh", "again elsewhere if its node vanishes"],
    ["nexus add --env-file job.env -l rack=a -- make test", "where the target carries a label"],
  ]);
  addCommonOptions(addJobOptions(command))
    .passThroughOptions()
    .action(async (argv: string[], options: AddOptions) => {
      await add(cli, argv, options);
    });
}

async function add(cli: Cli, command: string[], options: AddOptions): Promise<void> {
  const times =
    options.times === undefined
      ? 1
      : within(parseCount(options.times, "--times"), "--times", { min: 1, max: TIMES_MAX });
  const { api, target } = await connect(cli);
  const spec = await toJobSpec(cli, { command, options, fallback: target });
  const input = { jobs: Array.from({ length: times }, () => spec), submitKey: randomUUID() };
  const { jobs } = await withSpinner(cli.stderr, "Adding", api.callAgain("jobs.submit", input)).catch(
    inOptionWords,
  );
  print(cli, options.json ? plainJson({ jobs }, 2) : jobs.map(({ id }) => plain(id)));
  const [first] = jobs;
  if (!first) return;
  // It is in the line whatever comes of this question.
  const preview = await api.call("jobs.preview", spec).catch(() => null);
  if (preview?.canEverRun === false) {
    warn(cli, { sentence: preview.sentence, jobs, isJson: options.json === true });
    return;
  }
  if (options.json || !cli.stderr.isTTY) return;
  const why = first.reason && first.reason.code !== "new" ? `: ${plain(explainReason(first.reason))}` : "";
  note(
    cli,
    cli.paintErr(
      "dim",
      `${countText(jobs.length, "job")} in queue ${plain(first.queue)}${why}. See them: nexus queue`,
    ),
  );
}

/** Beside what was asked for: it was queued, and ends with 0. */
function warn(cli: Cli, given: { sentence: string; jobs: Job[]; isJson: boolean }): void {
  const { sentence, jobs, isJson } = given;
  const [it, id] = jobs.length === 1 ? ["it", jobs[0]?.id ?? ""] : ["them", "<id>"];
  const text = `no target can run ${it} as the fleet is now: ${sentence}. To wait no longer: nexus kill ${id}`;
  note(cli, isJson ? plainJson({ warning: text }) : cli.paintErr("yellow", plain(`nexus: ${text}`)));
}

import { NexusError } from "@nexus/shared/errors";
import { ACTIVE_JOB_STATES } from "@nexus/shared/machines/job";
import type { Command } from "commander";
import type { Api } from "../api/api.ts";
import { connect } from "../api/connect.ts";
import { type Cli, print } from "../cli.ts";
import { jobTable, lineTable } from "../jobs/job-table.ts";
import { countText } from "../terminal/amounts.ts";
import { plainJson } from "../terminal/plain.ts";
import { withSpinner } from "../terminal/spinner.ts";
import { addCommonOptions, addExamples, type CommonOptions } from "./common-options.ts";

const SHOWN_MAX = 1000;

type QueueOptions = CommonOptions & { queue?: string };

export function addQueue(program: Command, cli: Cli): void {
  const command = program
    .command("queue")
    .description("what runs and what waits, in the order of the line, with what each waits for")
    .option("-q, --queue <name>", "only this queue");
  addExamples(command, [
    ["nexus queue", "all that runs and waits"],
    ["nexus queue -q night --json", "one queue, for a script"],
  ]);
  addCommonOptions(command).action(async (options: QueueOptions) => {
    await showQueue(cli, options);
  });
}

async function showQueue(cli: Cli, options: QueueOptions): Promise<void> {
  const { api } = await connect(cli);
  const filter = {
    ...(options.queue === undefined ? {} : { queue: options.queue }),
    ...(options.target === undefined ? {} : { target: options.target }),
    limit: SHOWN_MAX,
  };
  const [running, waiting] = await withSpinner(
    cli.stderr,
    "Asking",
    Promise.all([
      api.call("jobs.list", { ...filter, states: [...ACTIVE_JOB_STATES] }),
      api.call("jobs.list", { ...filter, states: ["queued"], order: "line" }),
    ]),
  );
  if (running.total + waiting.total === 0) await refuseUnknown(api, options);
  if (options.json) {
    print(cli, plainJson({ running: running.jobs, waiting: waiting.jobs, waitingTotal: waiting.total }, 2));
    return;
  }
  const lines: string[] = [];
  if (running.jobs.length > 0) {
    lines.push(
      cli.paint("bold", countText(running.total, "job") + (running.total === 1 ? " runs" : " run")),
      ...jobTable(cli, running.jobs),
      "",
    );
  }
  if (waiting.jobs.length > 0) {
    lines.push(
      cli.paint("bold", countText(waiting.total, "job") + (waiting.total === 1 ? " waits" : " wait")),
      ...lineTable(cli, waiting.jobs),
    );
    if (waiting.total > waiting.jobs.length) lines.push(`… and ${waiting.total - waiting.jobs.length} more`);
  } else lines.push("Nothing waits. Add a job: nexus add -- hostname");
  print(cli, lines);
}

/** Nothing runs or waits: because there is nothing, or because what was named does not exist. */
async function refuseUnknown(api: Api, { queue, target }: QueueOptions): Promise<void> {
  if (target !== undefined) await api.call("targets.get", { target });
  if (queue === undefined) return;
  const names = (await api.call("queues.list", undefined)).map(({ name }) => name);
  if (!names.includes(queue)) {
    throw new NexusError("not_found", {
      detail: `There is no queue ${queue}. There ${names.length === 1 ? "is" : "are"}: ${names.join(", ")}.`,
    });
  }
}

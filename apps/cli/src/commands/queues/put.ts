import type { InputOf } from "@nexus/shared/api/contract";
import type { Queue } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import type { Command } from "commander";
import type { Api } from "../../api/api.ts";
import { connect } from "../../api/connect.ts";
import { type Cli, print } from "../../cli.ts";
import { pairs } from "../../jobs/job-options.ts";
import { parseCount, parseInteger, within } from "../../terminal/parse-amounts.ts";
import { plainJson } from "../../terminal/plain.ts";
import { addExamples, addJsonOption } from "../common-options.ts";
import { queueTable } from "./list.ts";

type PutOptions = {
  priority?: string;
  jobs?: string;
  gpus?: string;
  personJobs?: string;
  personGpus?: string;
  on?: string[];
  label?: string[];
  anywhere?: boolean;
  paused?: boolean;
  json?: boolean;
};

const LIMIT_MAX = 1_000_000;

/** `add` and `edit`. */
export function addQueuesPut(queues: Command, cli: Cli): void {
  const add = queues
    .command("add")
    .description("make a queue")
    .argument("<queue>", "its name")
    .option("--paused", "jobs may join, and none starts until `resume`");
  addExamples(add, [
    ["nexus queues add night -p -5 --gpus 4", "behind the others, on at most four GPUs"],
    ["nexus queues add research -l role=train", "only on targets with a label"],
    ["nexus queues add intern --on gpu1 --on gpu2 --person-gpus 1", "only there, one GPU a person"],
  ]);
  addPutOptions(add).action(async (name: string, options: PutOptions) => {
    const { api } = await connect(cli);
    const selector = { labels: labelsOf(options) ?? {}, targets: options.on ?? [] };
    await put(api, { ...inputOf(name, options), selector, only: "new" }, options);
  });

  const edit = queues
    .command("edit")
    .description("change a queue; what is not named stays as it is")
    .argument("<queue>", "its name")
    .option("--anywhere", "let its jobs run on all targets again");
  addExamples(edit, [
    ["nexus queues edit night --gpus 8 --jobs none", "more GPUs, any number of jobs"],
    ["nexus queues edit research -l role=train -l rack=a", "other labels, instead of those before"],
  ]);
  addPutOptions(edit).action(async (name: string, options: PutOptions) => {
    const { api } = await connect(cli);
    const input = inputOf(name, options);
    const selector = await selectorOf(api, name, options);
    if (Object.keys(input).length === 1 && !selector) {
      throw new NexusError("bad_request", { detail: `Say what to change of ${name}: see --help.` });
    }
    await put(api, { ...input, ...(selector ? { selector } : {}), only: "existing" }, options);
  });

  async function put(api: Api, input: InputOf<"queues.put">, { json }: PutOptions): Promise<void> {
    const queue = await api.call("queues.put", input);
    print(cli, json ? plainJson({ queue }, 2) : queueTable(cli, [queue]));
  }
}

const gather = (value: string, before: string[] = []) => [...before, value];

function addPutOptions(command: Command): Command {
  return addJsonOption(
    command
      .option("-p, --priority <n>", "jobs of a queue with a higher one go first")
      .option("--jobs <n>", "jobs that may run at once; none: no limit")
      .option("--gpus <n>", "GPUs that its jobs may hold at once; none: no limit")
      .option("--person-jobs <n>", "jobs of one person that may run at once")
      .option("--person-gpus <n>", "GPUs that one person's jobs may hold at once")
      .option("--on <target>", "run its jobs only on this target; repeatable", gather)
      .option("-l, --label <key=value>", "run its jobs only where the target carries it; repeatable", gather),
  );
}

function inputOf(name: string, options: PutOptions): InputOf<"queues.put"> {
  const { priority, jobs, gpus, personJobs, personGpus, paused } = options;
  return {
    name,
    ...(priority === undefined
      ? {}
      : {
          priority: within(parseInteger(priority, "--priority"), "--priority", { min: -1000, max: 1000 }),
        }),
    ...(jobs === undefined ? {} : { runningMax: limitOf(jobs, "--jobs") }),
    ...(gpus === undefined ? {} : { gpusMax: limitOf(gpus, "--gpus") }),
    ...(personJobs === undefined ? {} : { userRunningMax: limitOf(personJobs, "--person-jobs") }),
    ...(personGpus === undefined ? {} : { userGpusMax: limitOf(personGpus, "--person-gpus") }),
    ...(paused === undefined ? {} : { paused }),
  };
}

function limitOf(text: string, what: string): number | null {
  return text === "none" ? null : within(parseCount(text, what), what, { min: 0, max: LIMIT_MAX });
}

function labelsOf({ label }: PutOptions): Record<string, string> | undefined {
  return label && pairs(label, "--label");
}

/** Labels and targets stay as they are, each unless it is named. */
async function selectorOf(
  api: Api,
  name: string,
  options: PutOptions,
): Promise<Queue["selector"] | undefined> {
  const labels = labelsOf(options);
  const { on, anywhere } = options;
  if (anywhere) {
    if (labels || on)
      throw new NexusError("bad_request", { detail: "--anywhere goes without --on and --label." });
    return { labels: {}, targets: [] };
  }
  if (!labels && !on) return undefined;
  const before = (await api.call("queues.list", undefined)).find((queue) => queue.name === name);
  return {
    labels: labels ?? before?.selector.labels ?? {},
    targets: on ?? before?.selector.targets ?? [],
  };
}

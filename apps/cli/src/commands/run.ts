import { randomUUID } from "node:crypto";
import type { Job } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import type { Command } from "commander";
import type { Api } from "../api/api.ts";
import { connect } from "../api/connect.ts";
import { type Cli, note, print } from "../cli.ts";
import { followJob } from "../jobs/follow-job.ts";
import { addJobOptions, inOptionWords, type JobOptions, toJobSpec } from "../jobs/job-options.ts";
import { createTroubleTeller } from "../jobs/log-troubles.ts";
import { EXIT_CANCELLED, exitCodeOf, outcomeText } from "../jobs/outcome.ts";
import { openLogWriter } from "../terminal/log-writer.ts";
import { plain, plainJson } from "../terminal/plain.ts";
import { withSpinner } from "../terminal/spinner.ts";
import { addCommonOptions, addExamples, type CommonOptions } from "./common-options.ts";

type RunOptions = JobOptions & CommonOptions & { detach?: boolean; raw?: boolean };

export function addRun(program: Command, cli: Cli): void {
  const command = program
    .command("run")
    .description("start a job now, or say why not; show its output; end with its exit code")
    .argument("<command...>", "the command and its arguments, best after --")
    .option("-d, --detach", "print the job's id and leave it running")
    .option("--raw", "show the output as it is, also what could take over this terminal");
  addExamples(command, [
    ["nexus run -- nvidia-smi", "on any machine with a free GPU"],
    ["nexus run -g 2 --gpu-memory 40GiB -- python train.py", "two GPUs with 40 GiB free each"],
    ["nexus run -g 0 -t gpu1 -C /data -- sh -c 'du -sh *'", "no GPU, in a folder of gpu1"],
    ["nexus run -d -e WANDB_API_KEY -- python train.py", "with your own variable, left running"],
  ]);
  addCommonOptions(addJobOptions(command))
    .passThroughOptions()
    .action(async (argv: string[], options: RunOptions) => {
      await run(cli, argv, options);
    });
}

async function run(cli: Cli, command: string[], options: RunOptions): Promise<void> {
  const { api, target } = await connect(cli);
  const spec = await toJobSpec(cli, { command, options, fallback: target });
  const input = { jobs: [spec], immediate: true, submitKey: randomUUID() };
  const { jobs } = await withSpinner(cli.stderr, "Starting", api.callAgain("jobs.submit", input)).catch(
    withHint,
  );
  const [job] = jobs;
  if (!job) throw new NexusError("internal", { detail: "The server accepted the job and named none." });
  if (options.detach) {
    print(cli, options.json ? plainJson({ job }, 2) : plain(job.id));
    return;
  }
  await (options.json
    ? showAsJson(cli, api, job)
    : showAsItIs(cli, api, { job, isRaw: options.raw === true }));
}

type Shown = { job: Job; isRaw: boolean };

async function showAsItIs(cli: Cli, api: Api, { job, isRaw }: Shown): Promise<void> {
  const where = job.target ? ` on ${plain(job.target.name)}` : "";
  if (cli.stderr.isTTY) note(cli, cli.paintErr("dim", `${job.id}${where}`));
  const output = openLogWriter(cli, { isRaw });
  const ended = await followJob(cli, {
    api,
    job,
    from: { offset: 0 },
    write: ({ bytes }) => output.write(bytes),
    onTroubles: createTroubleTeller(cli, { json: false }),
  }).finally(output.end);
  if (!ended) {
    cli.exitCode = EXIT_CANCELLED;
    note(cli, `${job.id} runs on. Watch it: nexus logs ${job.id} -f   End it: nexus kill ${job.id}`);
    return;
  }
  cli.exitCode = exitCodeOf(ended);
  const isPlainEnd = ended.message === null && (ended.state === "succeeded" || ended.state === "failed");
  if (cli.stderr.isTTY || !isPlainEnd)
    note(cli, cli.paintErr("dim", plain(`${ended.id} ${outcomeText(ended)}`)));
}

/** JSON lines: the job, pieces of its log, the job as it ended. */
async function showAsJson(cli: Cli, api: Api, job: Job): Promise<void> {
  print(cli, plainJson({ type: "job", job }));
  const decoder = new TextDecoder();
  const output = openLogWriter(cli, { isRaw: true });
  const ended = await followJob(cli, {
    api,
    job,
    from: { offset: 0 },
    write: async ({ offset, bytes }) => {
      const text = decoder.decode(bytes, { stream: true });
      await output.write(Buffer.from(`${plainJson({ type: "log", offset, text })}\n`));
    },
    onTroubles: createTroubleTeller(cli, { json: true }),
  });
  print(cli, plainJson({ type: ended ? "end" : "detached", job: ended ?? job }));
  cli.exitCode = ended ? exitCodeOf(ended) : EXIT_CANCELLED;
}

function withHint(cause: unknown): never {
  if (cause instanceof NexusError && (cause.code === "target_busy" || cause.code === "target_offline")) {
    throw new NexusError(cause.code, {
      detail: `${cause.message} To wait in line, say \`nexus add\` instead of \`nexus run\`.`,
    });
  }
  inOptionWords(cause);
}

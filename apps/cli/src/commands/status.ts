import type { Gpu, Job, Target } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { ACTIVE_JOB_STATES } from "@nexus/shared/machines/job";
import type { Command } from "commander";
import { connect } from "../api/connect.ts";
import { type Cli, print } from "../cli.ts";
import { jobTable, lineTable } from "../jobs/job-table.ts";
import { countText } from "../terminal/amounts.ts";
import { plain, plainJson } from "../terminal/plain.ts";
import { withSpinner } from "../terminal/spinner.ts";
import { type Cell, fitLine, tableLines } from "../terminal/table.ts";
import { addCommonOptions, addExamples, type CommonOptions } from "./common-options.ts";
import { gpuBar, gpuMemoryText, gpuSummary, gpuUsers, targetStateCell } from "./targets/target-cells.ts";

const RUNNING_SHOWN = 10;
const WAITING_SHOWN = 5;

/** `nexus status`, and what a bare `nexus` shows. */
export function addStatus(program: Command, cli: Cli): void {
  const command = program
    .command("status", { isDefault: true })
    .description("the fleet at a glance: GPUs, running jobs, who waits for what")
    // A default command gets what is no command: that is a mistake, and not about the fleet.
    .usage("[options]")
    .allowExcessArguments();
  addExamples(command, [
    ["nexus", "the whole fleet"],
    ["nexus status -t gpu1 --json", "one machine, for a script"],
  ]);
  addCommonOptions(command).action(async (options: CommonOptions, { args }: Command) => {
    const [unknown] = args;
    if (unknown !== undefined) program.error(`error: unknown command '${plain(unknown)}'`);
    await showStatus(cli, options);
  });
}

async function showStatus(cli: Cli, options: CommonOptions): Promise<void> {
  const { api } = await connect(cli);
  const only = options.target === undefined ? {} : { target: options.target };
  const [me, fleet, running, waiting] = await withSpinner(
    cli.stderr,
    "Asking",
    Promise.all([
      api.call("me.get", undefined),
      api.call("fleet.list", undefined),
      api.call("jobs.list", { ...only, states: [...ACTIVE_JOB_STATES], limit: RUNNING_SHOWN }),
      api.call("jobs.list", { ...only, states: ["queued"], order: "line", limit: WAITING_SHOWN }),
    ]),
  );
  const targets = fleet.targets.filter(
    ({ id, name }) => options.target === undefined || [id, name].includes(options.target),
  );
  if (options.target !== undefined && targets.length === 0) {
    throw new NexusError("not_found", {
      detail: `There is no target ${options.target}. \`nexus targets list\` names those there are.`,
    });
  }
  if (options.json) {
    const { jobs: runningJobs, total: runningTotal } = running;
    const { jobs: waitingJobs, total: waitingTotal } = waiting;
    print(
      cli,
      plainJson(
        {
          me,
          problems: fleet.problems,
          targets,
          running: runningJobs,
          runningTotal,
          waiting: waitingJobs,
          waitingTotal,
        },
        2,
      ),
    );
    return;
  }
  const who = `${me.team.name} · ${me.user.name} (${me.role}) · ${api.url}`;
  print(cli, [
    fitLine([{ text: who, ink: "dim" }], cli),
    ...fleet.problems.map(({ message }) => cli.paint("red", plain(`! ${message}`))),
    "",
    ...targetLines(cli, targets),
    ...sectionLines(cli, { what: "running", ...running, table: jobTable }),
    ...sectionLines(cli, { what: "waiting", ...waiting, table: lineTable }),
  ]);
}

function targetLines(cli: Cli, targets: Target[]): string[] {
  if (targets.length === 0) return ["The fleet has no machine yet. Add one: nexus targets add"];
  return targets.flatMap((target) => {
    const facts = [gpuSummary(target), countText(target.jobsActive, "job"), target.notice?.message ?? ""];
    const head = fitLine(
      [
        { text: target.name, ink: "bold" },
        "  ",
        targetStateCell(target),
        "  ",
        { text: facts.filter(Boolean).join(" · "), ink: "dim" },
      ],
      cli,
    );
    return [head, ...gpuLines(cli, target.gpus), ""];
  });
}

function gpuLines(cli: Cli, gpus: Gpu[]): string[] {
  const rows = gpus.map((gpu): Cell[] => [
    String(gpu.index),
    gpuBar(gpu),
    gpuMemoryText(gpu),
    amount(gpu.sample?.utilizationPct, "%"),
    amount(gpu.sample?.temperatureC, "°C"),
    amount(gpu.sample?.powerW, "W"),
    gpuUsers(gpu) || { text: "free", ink: "dim" },
  ]);
  const right = { title: "", align: "right" as const };
  const columns = [
    right,
    { title: "", leaveOut: 2 },
    right,
    { ...right, leaveOut: 1 },
    { ...right, leaveOut: 3 },
    { ...right, leaveOut: 4 },
    { title: "", cutTo: 12 },
  ];
  return tableLines(columns, rows, { paint: cli.paint, columns: cli.columns, indent: "  " });
}

type Section = { what: string; jobs: Job[]; total: number; table: typeof jobTable };

function sectionLines(cli: Cli, { what, jobs, total, table }: Section): string[] {
  if (jobs.length === 0) return [];
  const more = total > jobs.length ? [`  … and ${total - jobs.length} more: nexus queue`] : [];
  return [cli.paint("bold", `${total} ${what}`), ...table(cli, jobs, "  "), ...more, ""];
}

function amount(value: number | null | undefined, unit: string): string {
  return value === null || value === undefined ? "" : `${Math.round(value)} ${unit}`;
}

import type { Job, JobTimelineEvent } from "@nexus/shared/api/schemas";
import { commandText } from "@nexus/shared/command-text";
import { durationText } from "@nexus/shared/duration-text";
import { jobEventWords } from "@nexus/shared/machines/job-event-words";
import { retryText } from "@nexus/shared/machines/retry-text";
import type { Command } from "commander";
import { connect } from "../api/connect.ts";
import { type Cli, print } from "../cli.ts";
import { findJob } from "../jobs/find-job.ts";
import { stateCell, timeText, whyText } from "../jobs/job-cells.ts";
import { agoText, bytesText, clockText, memoryText } from "../terminal/amounts.ts";
import { plainJson } from "../terminal/plain.ts";
import { withSpinner } from "../terminal/spinner.ts";
import { type Cell, tableLines } from "../terminal/table.ts";
import { addExamples, addJsonOption } from "./common-options.ts";

export function addGet(program: Command, cli: Cli): void {
  const command = program
    .command("get")
    .description("all about one job and what happened to it")
    .argument("[id]", "the job's id or the beginning of it (default: your latest)");
  addExamples(command, [
    ["nexus get", "your latest job"],
    ["nexus get j_7k2 --json", "by the beginning of its id, for a script"],
  ]);
  addJsonOption(command).action(async (id: string | undefined, options: { json?: boolean }) => {
    await showJob(cli, id, options.json === true);
  });
}

async function showJob(cli: Cli, id: string | undefined, isJson: boolean): Promise<void> {
  const { api } = await connect(cli);
  const job = await withSpinner(cli.stderr, "Asking", findJob(api, id));
  const events = await api.call("jobs.events", { job: job.id });
  if (isJson) {
    print(cli, plainJson({ job, events }, 2));
    return;
  }
  const nowMs = cli.nowMs();
  const settings = { paint: cli.paint, columns: cli.columns };
  const facts = tableLines(
    [{ title: "" }, { title: "", cutTo: 16, wraps: true }],
    factRows(job, { nowMs, tries: triesOf(events) }),
    settings,
  );
  const timeline = tableLines(
    [
      { title: "WHEN" },
      { title: "AFTER", align: "right", leaveOut: 2 },
      { title: "STATE", leaveOut: 3 },
      { title: "BY", cutTo: 8, leaveOut: 1 },
      { title: "WHAT", cutTo: 16, wraps: true },
    ],
    events.map((event, at) => [
      clockText(event.atMs, nowMs),
      at === 0 ? "" : durationText(event.atMs - (events[at - 1]?.atMs ?? event.atMs)),
      stateCell(event),
      event.actor,
      jobEventWords(event),
    ]),
    settings,
  );
  print(cli, [...facts, "", ...timeline]);
}

function factRows(job: Job, { nowMs, tries }: { nowMs: number; tries: number }): Cell[][] {
  const facts: [string, Cell | null][] = [
    ["job", { text: job.id, ink: "bold" }],
    ["name", job.name],
    ["state", stateCell(job)],
    ["since", sinceText(job, nowMs)],
    ["why", whyText(job) || null],
    ["command", commandText(job.command)],
    ["exit", job.signal ?? (job.exitCode === null ? null : String(job.exitCode))],
    ["target", job.target?.name ?? job.wantedTarget],
    ["gpus", gpuText(job)],
    ["user", job.user.name],
    ["queue", `${job.queue}${job.priority === 0 ? "" : `, priority ${job.priority}`}`],
    ["labels", listText(job.labels)],
    ["env", listText(job.env)],
    ["folder", job.cwd],
    ["timeout", job.timeoutMs === null ? null : durationText(job.timeoutMs)],
    ["retry", retryText(job)],
    ["added", agoText(nowMs - job.createdAtMs)],
    ["time", job.startedAtMs === null ? null : timeText(job, nowMs)],
    ["tries", tries > 1 ? String(tries) : null],
    ["log", [bytesText(job.logBytes), ...job.logTroubles.map(({ message }) => message)].join("; ")],
  ];
  return facts.flatMap(([label, value]) => (value === null ? [] : [[{ text: label, ink: "dim" }, value]]));
}

/** A silent node is not a failure: it says since when nothing is known. */
function sinceText({ id, unreachableSinceMs }: Job, nowMs: number): string | null {
  if (unreachableSinceMs === null) return null;
  return `its node is silent for ${durationText(nowMs - unreachableSinceMs)}; the job may run on there. Not waiting for it: nexus requeue ${id}`;
}

/** A place that was taken back, or whose node refused to start anything, was no try. */
function triesOf(events: JobTimelineEvent[]): number {
  const count = (...types: string[]) => events.filter(({ type }) => types.includes(type)).length;
  return count("place") - count("unplace", "decline");
}

function gpuText(job: Job): string {
  const wanted = [
    String(job.gpus),
    job.gpuModel,
    job.gpuMemoryMib === null ? null : `${memoryText(job.gpuMemoryMib)} each`,
  ].filter((part) => part !== null);
  return job.gpuUuids.length === 0 ? wanted.join(", ") : `${wanted.join(", ")}: ${job.gpuUuids.join(" ")}`;
}

function listText(items: Record<string, string>): string | null {
  const pairs = Object.entries(items).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? null : pairs.join(" ");
}

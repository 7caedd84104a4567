import type { Job } from "@nexus/shared/api/schemas";
import type { Cli } from "../cli.ts";
import { agoText } from "../terminal/amounts.ts";
import { type Cell, type Column, tableLines } from "../terminal/table.ts";
import { stateCell, timeText, titleText, whyText } from "./job-cells.ts";

/** Jobs that run or ended. */
export function jobTable(cli: Cli, jobs: Job[], indent = ""): string[] {
  const nowMs = cli.nowMs();
  const columns: Column[] = [
    { title: "JOB" },
    { title: "STATE" },
    { title: "EXIT", align: "right", leaveOut: 4 },
    { title: "TARGET", cutTo: 8, leaveOut: 3 },
    { title: "GPUS", align: "right", leaveOut: 6 },
    { title: "USER", cutTo: 6, leaveOut: 5 },
    { title: "TIME", align: "right", leaveOut: 2 },
    { title: "ADDED", align: "right", leaveOut: 7 },
    { title: "COMMAND", cutTo: 10, leaveOut: 1 },
  ];
  const rows = jobs.map((job): Cell[] => [
    job.id,
    stateCell(job),
    job.signal ?? (job.exitCode === null ? "" : String(job.exitCode)),
    job.target?.name ?? "",
    String(job.gpus),
    job.user.name,
    timeText(job, nowMs),
    agoText(nowMs - job.createdAtMs),
    titleText(job),
  ]);
  return tableLines(columns, rows, { paint: cli.paint, columns: cli.columns, indent });
}

/** Jobs that wait, in the order of the line, with what each waits for. */
export function lineTable(cli: Cli, jobs: Job[], indent = ""): string[] {
  const nowMs = cli.nowMs();
  const columns: Column[] = [
    { title: "#", align: "right", leaveOut: 3 },
    { title: "JOB" },
    { title: "GPUS", align: "right", leaveOut: 6 },
    { title: "PRIO", align: "right", leaveOut: 7 },
    { title: "USER", cutTo: 6, leaveOut: 4 },
    { title: "WAITS", align: "right", leaveOut: 2 },
    { title: "COMMAND", cutTo: 10, leaveOut: 5 },
    { title: "BECAUSE", cutTo: 24, wraps: true },
  ];
  const rows = jobs.map((job, at): Cell[] => [
    String(at + 1),
    job.id,
    String(job.gpus),
    String(job.priority),
    job.user.name,
    timeText(job, nowMs),
    titleText(job),
    { text: whyText(job), ink: "yellow" },
  ]);
  return tableLines(columns, rows, { paint: cli.paint, columns: cli.columns, indent });
}

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
    { title: "EXIT", align: "right" },
    { title: "TARGET", cutTo: 8 },
    { title: "GPUS", align: "right" },
    { title: "USER", cutTo: 6 },
    { title: "TIME", align: "right" },
    { title: "ADDED", align: "right" },
    { title: "COMMAND", cutTo: 12 },
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
    { title: "#", align: "right" },
    { title: "JOB" },
    { title: "GPUS", align: "right" },
    { title: "PRIO", align: "right" },
    { title: "USER", cutTo: 6 },
    { title: "WAITS", align: "right" },
    { title: "COMMAND", cutTo: 12 },
    { title: "BECAUSE", cutTo: 24 },
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

import { DEFAULT_QUEUE, type Queue } from "@nexus/shared/api/schemas";
import { selectorText } from "@nexus/shared/scheduler/selector-text";
import type { Command } from "commander";
import { connect } from "../../api/connect.ts";
import { type Cli, print } from "../../cli.ts";
import { countText } from "../../terminal/amounts.ts";
import { plainJson } from "../../terminal/plain.ts";
import { withSpinner } from "../../terminal/spinner.ts";
import { type Cell, type Column, tableLines } from "../../terminal/table.ts";
import { addExamples, addJsonOption } from "../common-options.ts";

export function addQueuesList(queues: Command, cli: Cli): void {
  const command = queues.command("list", { isDefault: true }).alias("ls").description("all queues");
  addExamples(command, [
    ["nexus queues", "what each lets through, and who waits in it"],
    ["nexus queues list --json", "for a script"],
  ]);
  addJsonOption(command).action(async (options: { json?: boolean }) => {
    const { api } = await connect(cli);
    const found = await withSpinner(cli.stderr, "Asking", api.call("queues.list", undefined));
    const sorted = found.toSorted((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1));
    if (options.json) {
      print(cli, plainJson({ queues: sorted }, 2));
      return;
    }
    print(cli, queueTable(cli, sorted));
    print(cli, cli.paint("dim", "* where jobs go that name no queue"));
  });
}

export function queueTable(cli: Cli, queues: Queue[]): string[] {
  const columns: Column[] = [
    { title: "QUEUE", cutTo: 10 },
    { title: "PRIO", align: "right", leaveOut: 2 },
    { title: "WAIT", align: "right" },
    { title: "RUN", align: "right" },
    { title: "GPUS", align: "right", leaveOut: 1 },
    { title: "A PERSON", leaveOut: 4 },
    { title: "STATE", leaveOut: 3 },
    { title: "ONLY ON", cutTo: 12, leaveOut: 5 },
  ];
  const rows = queues.map((queue): Cell[] => [
    queue.name === DEFAULT_QUEUE ? `${queue.name} *` : queue.name,
    String(queue.priority),
    String(queue.queued),
    ofLimit(queue.running, queue.runningMax),
    ofLimit(queue.gpusHeld, queue.gpusMax),
    personText(queue),
    queue.paused ? { text: "paused", ink: "yellow" } : "open",
    placesCell(queue),
  ]);
  return tableLines(columns, rows, { paint: cli.paint, columns: cli.columns });
}

function ofLimit(count: number, limit: number | null): Cell {
  if (limit === null) return String(count);
  const text = `${count} of ${limit}`;
  return count >= limit ? { text, ink: "yellow" } : text;
}

function personText({ userRunningMax, userGpusMax }: Queue): string {
  const jobs = userRunningMax === null ? [] : [countText(userRunningMax, "job")];
  const gpus = userGpusMax === null ? [] : [countText(userGpusMax, "GPU")];
  return [...jobs, ...gpus].join(", ");
}

function placesCell({ selector, targetsSelected }: Queue): Cell {
  const text = selectorText(selector);
  return text !== "" && targetsSelected === 0 ? { text: `${text} (no target)`, ink: "red" } : text;
}

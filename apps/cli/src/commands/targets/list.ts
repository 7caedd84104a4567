import type { Command } from "commander";
import { connect } from "../../api/connect.ts";
import { type Cli, print } from "../../cli.ts";
import { agoText } from "../../terminal/amounts.ts";
import { plainJson } from "../../terminal/plain.ts";
import { withSpinner } from "../../terminal/spinner.ts";
import { type Cell, columnsLeftOut, tableLines } from "../../terminal/table.ts";
import { addJsonOption } from "../common-options.ts";
import { gpuSummary, isUncontained, targetStateCell } from "./target-cells.ts";

const UNCONTAINED =
  "not contained: no cgroups (v2) there, so the agent cannot contain escaping processes; one may outlive its job";

export function addTargetsList(targets: Command, cli: Cli): void {
  const command = targets.command("list", { isDefault: true }).alias("ls").description("all targets");
  addJsonOption(command).action(async (options: { json?: boolean }) => {
    const { api, target: chosen } = await connect(cli);
    const fleet = await withSpinner(cli.stderr, "Asking", api.call("fleet.list", undefined));
    if (options.json) {
      print(cli, plainJson({ problems: fleet.problems, targets: fleet.targets, default: chosen ?? null }, 2));
      return;
    }
    if (fleet.targets.length === 0) {
      print(cli, "The fleet has no machine yet. Add one: nexus targets add");
      return;
    }
    const rows = fleet.targets.map((target): Cell[] => [
      target.name === chosen || target.id === chosen ? `${target.name} *` : target.name,
      targetStateCell(target),
      target.lastSeenAtMs === null ? "" : agoText(fleet.nowMs - target.lastSeenAtMs),
      String(target.jobsActive),
      gpuSummary(target),
      Object.entries(target.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(" "),
      target.notice?.message ?? "",
    ]);
    const columns = [
      { title: "TARGET", cutTo: 10 },
      { title: "STATE" },
      { title: "SEEN", align: "right" as const, leaveOut: 3 },
      { title: "JOBS", align: "right" as const, leaveOut: 2 },
      { title: "GPUS", cutTo: 10, leaveOut: 1 },
      { title: "LABELS", cutTo: 8, leaveOut: 5 },
      { title: "NOTICE", cutTo: 16, leaveOut: 4, wraps: true },
    ];
    const settings = { paint: cli.paint, columns: cli.columns };
    print(cli, tableLines(columns, rows, settings));
    const leftOut = columnsLeftOut(columns, rows, settings);
    if (leftOut.length > 0) {
      print(cli, cli.paint("dim", `too narrow for ${leftOut.join(", ")}: widen it, or add --json`));
    }
    if (fleet.targets.some(isUncontained)) print(cli, cli.paint("dim", UNCONTAINED));
    if (chosen !== undefined) print(cli, cli.paint("dim", "* where jobs go when you name no target"));
  });
}

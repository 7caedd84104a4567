import type { Command } from "commander";
import type { Cli } from "../../cli.ts";
import { addTargetsAdd } from "./add.ts";
import { addTargetsCordon } from "./cordon.ts";
import { addTargetsDefault } from "./default.ts";
import { addTargetsHostKeys } from "./host-keys.ts";
import { addTargetsList } from "./list.ts";
import { addTargetsRemove } from "./remove.ts";
import { addTargetsRename } from "./rename.ts";
import { addTargetsWays } from "./ways.ts";

export function addTargets(program: Command, cli: Cli): void {
  const targets = program.command("targets").alias("target").description("the machines of the fleet");
  addTargetsList(targets, cli);
  addTargetsAdd(targets, cli);
  addTargetsDefault(targets, cli);
  addTargetsRename(targets, cli);
  addTargetsCordon(targets, cli);
  addTargetsRemove(targets, cli);
  addTargetsWays(targets, cli);
  addTargetsHostKeys(targets, cli);
}

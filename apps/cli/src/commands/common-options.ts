import type { Command } from "commander";

export type CommonOptions = { json?: boolean; target?: string };

export function addJsonOption(command: Command): Command {
  return command.option("--json", "print JSON, for scripts");
}

/** `-t` and `--json`, which every command has where they make sense. */
export function addCommonOptions(command: Command): Command {
  return addJsonOption(command.option("-t, --target <name>", "the target, by name or id"));
}

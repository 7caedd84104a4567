import type { Command } from "commander";

export type CommonOptions = { json?: boolean; target?: string };

export function addJsonOption(command: Command): Command {
  return command.option("--json", "print JSON, for scripts");
}

/** `-t` and `--json`, which every command has where they make sense. */
export function addCommonOptions(command: Command): Command {
  return addJsonOption(command.option("-t, --target <name>", "the target, by name or id"));
}

/** At the end of a command's help. A test reads every one of them as the shell would. */
export function addExamples(command: Command, examples: [line: string, what: string][]): Command {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, what]) => `  ${line.padEnd(width)}   ${what}`);
  return command.addHelpText("after", `\nExamples\n${lines.join("\n")}`);
}

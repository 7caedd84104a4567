import type { Command } from "commander";
import { expect, it } from "vitest";
import type { Cli } from "./cli.ts";
import { createProgram } from "./program.ts";

/** Arguments as a shell hands them over: single quotes, and no redirection. */
function words(line: string): string[] {
  const [command = ""] = line.split(/ [<>] /);
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare = ""]) => quoted ?? bare);
}

function helpOf(command: Command): string {
  let help = "";
  command.configureOutput({ writeOut: (text) => (help += text) });
  command.outputHelp();
  return help;
}

it("[N12] every command has examples in its help, and every example is right", async () => {
  const stream = { write: () => true };
  const program = createProgram({ stdout: stream, stderr: stream } as unknown as Cli, {
    version: "0",
    isJson: () => false,
  });
  const ran: string[] = [];
  const queues = program.commands.find((command) => command.name() === "queues")?.commands ?? [];
  const all = [...program.commands, ...queues];
  for (const command of all) {
    if (command.commands.length === 0) command.action(() => void ran.push(command.name()));
  }
  for (const command of all.filter(({ commands }) => commands.length === 0)) {
    const examples = [...helpOf(command).matchAll(/^ {2}(nexus\b.*?) {3}/gm)].map(([, line = ""]) => line);
    expect(examples.length, command.name()).toBeGreaterThan(0);
    for (const example of examples) {
      ran.length = 0;
      await program.parseAsync(words(example).slice(1), { from: "user" });
      expect(ran, example).toEqual([command.name()]);
    }
  }
});

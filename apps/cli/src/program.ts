import { ERROR_TABLE } from "@nexus/shared/errors";
import { Command } from "commander";
import type { Cli } from "./cli.ts";
import { addAdd } from "./commands/add.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addGet } from "./commands/get.ts";
import { addHistory } from "./commands/history.ts";
import { addKill } from "./commands/kill.ts";
import { addLogin } from "./commands/login.ts";
import { addLogs } from "./commands/logs.ts";
import { addMove } from "./commands/move.ts";
import { addPortForward } from "./commands/port-forward.ts";
import { addQueue } from "./commands/queue.ts";
import { addQueues } from "./commands/queues/queues.ts";
import { addRequeue } from "./commands/requeue.ts";
import { addRun } from "./commands/run.ts";
import { addStatus } from "./commands/status.ts";
import { addTargets } from "./commands/targets/targets.ts";

export function createProgram(
  cli: Cli,
  { version, isJson }: { version: string; isJson: () => boolean },
): Command {
  const program = new Command("nexus")
    .description("Run, queue and follow jobs on your team's GPU machines.")
    .version(version, "-V, --version")
    .enablePositionalOptions()
    .showHelpAfterError("(nexus --help, or nexus <command> --help)")
    .configureOutput({
      writeOut: (text) => cli.stdout.write(text),
      // With --json the error is told once, as JSON, by main.ts.
      writeErr: (text) => isJson() || cli.stderr.write(text),
    })
    .exitOverride()
    .addHelpText("after", () => exitCodesText());
  addRun(program, cli);
  addAdd(program, cli);
  addQueue(program, cli);
  addHistory(program, cli);
  addGet(program, cli);
  addLogs(program, cli);
  addKill(program, cli);
  addMove(program, cli);
  addRequeue(program, cli);
  addTargets(program, cli);
  addQueues(program, cli);
  addPortForward(program, cli);
  addStatus(program, cli);
  addDoctor(program, cli, version);
  addLogin(program, cli);
  return program;
}

function exitCodesText(): string {
  const byExit = new Map<number, string[]>();
  for (const [code, { exit }] of Object.entries(ERROR_TABLE))
    byExit.set(exit, [...(byExit.get(exit) ?? []), code]);
  const table = [...byExit]
    .sort(([a], [b]) => a - b)
    .map(([exit, codes]) => `  ${exit}   ${codes.join(", ")}`);
  return `
Settings
  NEXUS_HOME                   folder of cli.json (default: ~/.nexus)
  NEXUS_URL, NEXUS_API_KEY     server and key, instead of those in cli.json
  NO_COLOR                     no colour

Exit codes
  0    done
  1    \`kill\`, \`move\`: some of the jobs could not be ended or moved; \`logs --grep\`: no line matches;
       \`doctor\`: something does not work;
       \`targets\` over SSH: some of the machines could not be reached or changed
  n    \`run\`: the exit code of the job; 128 + n when signal n ended it
  124  \`run\`: the job ran out of time
  125  \`run\`: the job could not be started, or was lost with its machine
  130  \`run\`: the job was cancelled, or left running by Ctrl-C
${table.join("\n")}`;
}

import { Command } from "commander";
import type { CliContext } from "./cli-context.ts";
import { addEnroll } from "./commands/enroll.ts";
import { addInstallService } from "./commands/install-service.ts";
import { addRun } from "./commands/run.ts";
import { addStatus } from "./commands/status.ts";
import { addUnenroll } from "./commands/unenroll.ts";
import { addUninstallService } from "./commands/uninstall-service.ts";

export function createProgram(context: CliContext): Command {
  const program = new Command("nexus-agent")
    .description("The node side of Nexus: dials the control plane, runs its jobs, listens on no port.")
    .version(context.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
    })
    .addHelpText("after", `\nThe agent's home is ${context.home} (NEXUS_AGENT_HOME).`);
  for (const add of [addEnroll, addRun, addStatus, addUnenroll, addInstallService, addUninstallService]) {
    add(program, context);
  }
  return program;
}

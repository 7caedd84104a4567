/** `nexus-agent uninstall-service`: undoes install-service. Identity and jobs stay. */
import { access, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import type { Command } from "commander";
import { type CliContext, say } from "../cli-context.ts";
import { runCommand } from "../service/run-command.ts";
import { planService } from "../service/service-plan.ts";
import { type ServiceOptions, serviceTerms, stableScript } from "../service/service-terms.ts";

export function addUninstallService(program: Command, context: CliContext): void {
  program
    .command("uninstall-service")
    .description("stop keeping the agent running; its jobs go on")
    .option("--system", "the service of the machine")
    .option("--keep-running", "the loop of the shell")
    .action((options: ServiceOptions) => uninstallService(context, options));
}

async function uninstallService(context: CliContext, options: ServiceOptions): Promise<void> {
  const plan = planService(serviceTerms(context, options));
  const isThere = await access(plan.file).then(
    () => true,
    () => false,
  );
  if (!isThere) {
    throw new NexusError("not_found", {
      detail: `There is no service: ${plan.file} does not exist.${options.system === true ? "" : " Was it installed with --system?"}`,
    });
  }
  for (const argv of plan.stop) await runCommand(argv);
  await rm(plan.file, { force: true });
  await rm(dirname(stableScript(context.home)), { recursive: true, force: true });
  say(context, `The service is removed (${plan.file}). Jobs that run go on; this machine stays enrolled.`);
}

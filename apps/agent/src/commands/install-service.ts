/** `nexus-agent install-service`: keeps the agent running by the system's own service manager. */
import { chmod, copyFile, mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import type { Command } from "commander";
import { type CliContext, say } from "../cli-context.ts";
import { requireIdentity } from "../link/identity-store.ts";
import { refuseRoot } from "../refuse-root.ts";
import { runningAgent } from "../running-agent.ts";
import { runCommand } from "../service/run-command.ts";
import { planService, type ServicePlan } from "../service/service-plan.ts";
import { type ServiceOptions, serviceTerms, stableScript } from "../service/service-terms.ts";

export function addInstallService(program: Command, context: CliContext): void {
  program
    .command("install-service")
    .description("keep the agent running with systemd or launchd")
    .option(
      "--system",
      "as a service of the machine, from boot on, run as this user (needs its administrator)",
    )
    .option("--print", "show what would be written and run, and do nothing")
    .option("--allow-root", "let jobs run as root")
    .action((options: ServiceOptions & { print?: boolean }) => installService(context, options));
}

async function installService(
  context: CliContext,
  options: ServiceOptions & { print?: boolean },
): Promise<void> {
  refuseRoot(context, options.allowRoot);
  const terms = serviceTerms(context, options);
  const plan = planService(terms);
  if (options.print === true) {
    printPlan(context, plan);
    return;
  }
  await requireIdentity(context.home);
  const pid = await runningAgent(context.home);
  await copyProgram(context);
  await writeUnit(plan);
  say(context, `Program  ${terms.scriptPath} (${context.version}), run by ${terms.nodePath}`);
  say(context, `Unit     ${plan.file}`);
  if (pid !== null) {
    say(context, `An agent (pid ${pid}) runs already; the service takes over when that one ends.`);
  }
  for (const argv of plan.start) await runCommand(argv);
  say(context, "The agent is kept running. Its jobs go on when it is restarted or updated.");
  for (const hint of plan.hints) say(context, hint);
}

function printPlan(context: CliContext, plan: ServicePlan): void {
  say(context, `# ${plan.file}`);
  say(context, plan.text);
  for (const argv of plan.start) say(context, `# then: ${argv.join(" ")}`);
}

/** By rename, so that a running agent and a service that restarts meanwhile see the old file or the new one. */
async function copyProgram(context: CliContext): Promise<void> {
  const to = stableScript(context.home);
  if (to === context.scriptPath) return;
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  await writeFile(`${dirname(to)}/package.json`, '{"type":"module"}\n');
  await copyFile(context.scriptPath, `${to}.new`);
  await chmod(`${to}.new`, 0o755);
  await rename(`${to}.new`, to);
}

async function writeUnit(plan: ServicePlan): Promise<void> {
  try {
    await mkdir(dirname(plan.file), { recursive: true });
    await writeFile(plan.file, plan.text, { mode: 0o644 });
  } catch (cause) {
    throw new NexusError("forbidden", {
      detail: `${plan.file} cannot be written (${cause instanceof Error ? cause.message : cause}). Print the unit with --print and let an administrator put it there, or install it for this user without --system.`,
      cause,
    });
  }
}

/** `nexus-agent install-service`: keeps the agent running by the system's own service manager. */
import { chmod, copyFile, mkdir, rename, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import type { Command } from "commander";
import { type CliContext, say } from "../cli-context.ts";
import { refusalOfDisk } from "../exec/disk-refusal.ts";
import { shellQuote } from "../exec/shell-quote.ts";
import { problemOfHome } from "../job-user.ts";
import { requireIdentity } from "../link/identity-store.ts";
import { refuseRoot } from "../refuse-root.ts";
import { runningAgent } from "../running-agent.ts";
import { runCommand } from "../service/run-command.ts";
import { planService, type ServicePlan, type ServiceTerms } from "../service/service-plan.ts";
import { type ServiceOptions, serviceTerms, stableScript } from "../service/service-terms.ts";

export function addInstallService(program: Command, context: CliContext): void {
  program
    .command("install-service")
    .description("keep the agent running with systemd or launchd")
    .option(
      "--system",
      "as a service of the machine, from boot on, run as this user (needs its administrator)",
    )
    .option("--keep-running", "by a loop of the shell and cron, where no systemd runs for this user")
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
  if (options.system !== true) await refuseWithoutHome(terms);
  const pid = await runningAgent(context.home);
  await copyProgram(context);
  await writeUnit(context, plan, options);
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

/** A user's own services are kept in the user's home. */
async function refuseWithoutHome({ user, userHome }: ServiceTerms): Promise<void> {
  const problem = await problemOfHome(userHome);
  if (problem === null) return;
  throw new NexusError("invalid_state", {
    detail: `The services of ${user} would be kept in the home folder, but ${problem}. Install it as a service of the machine instead: nexus-agent install-service --system`,
  });
}

async function writeUnit(context: CliContext, plan: ServicePlan, options: ServiceOptions): Promise<void> {
  try {
    await mkdir(dirname(plan.file), { recursive: true });
    await writeFile(plan.file, plan.text, { mode: 0o644 });
  } catch (cause) {
    const { message } = refusalOfDisk(cause, `${plan.file} cannot be written`);
    throw new NexusError("forbidden", {
      detail: `${message} ${options.system === true ? await adviceForAdministrator(context, plan) : "To install it as a service of the machine: nexus-agent install-service --system"}`,
      cause,
    });
  }
}

/** The agent's user need not be one who may become root: what that one has to do is left ready. */
async function adviceForAdministrator(context: CliContext, plan: ServicePlan): Promise<string> {
  const draft = join(dirname(stableScript(context.home)), basename(plan.file));
  await writeFile(draft, plan.text, { mode: 0o644 });
  const commands = [["install", "-m", "644", draft, plan.file], ...plan.start];
  return `An administrator has to do the rest, as it is: ${commands.map((argv) => `sudo ${argv.map(shellWord).join(" ")}`).join(" && ")}`;
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : shellQuote(word);
}

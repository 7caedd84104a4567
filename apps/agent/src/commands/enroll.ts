/** `nexus-agent enroll [token]`: this machine becomes a node. Asks once, then is done; `--run` goes on into `run`. */
import { hostname } from "node:os";
import { delimiter } from "node:path";
import { showPin } from "@nexus/shared/crypto/fingerprint";
import { NexusError } from "@nexus/shared/errors";
import { decodeEnrollToken } from "@nexus/shared/protocol/enroll-token";
import type { GpuFacts } from "@nexus/shared/protocol/messages";
import { isLoopbackOrigin } from "@nexus/shared/protocol/origin";
import type { Command } from "commander";
import { type CliContext, say } from "../cli-context.ts";
import type { GpuDriver } from "../gpu/driver.ts";
import { readHostFacts } from "../host/facts.ts";
import { invocation } from "../invocation.ts";
import { jobUser, loginUser } from "../job-user.ts";
import { enrollAt, meetServer } from "../link/enroll.ts";
import { readIdentity } from "../link/identity-store.ts";
import { openGpuDriver } from "../open-gpu-driver.ts";
import { refuseRoot } from "../refuse-root.ts";
import { runningAgent } from "../running-agent.ts";
import { showText } from "../show-text.ts";
import { runAgent } from "./run.ts";

export type EnrollOptions = {
  name?: string;
  yes?: boolean;
  force?: boolean;
  allowRoot?: boolean;
  run?: boolean;
};

const GPU_WAIT_MS = 8_000;

export function addEnroll(program: Command, context: CliContext): void {
  program
    .command("enroll")
    .description("make this machine a node of a fleet")
    .argument("[token]", "the enrolment token; - reads it from standard input, NEXUS_ENROLL_TOKEN works too")
    .option("--name <name>", "name of the target in the fleet (default: the hostname)")
    .option("-y, --yes", "do not ask")
    .option("--force", "replace the identity that this home has")
    .option("--allow-root", "let jobs run as root")
    .option("--run", "go on and run the agent in the foreground")
    .action((token: string | undefined, options: EnrollOptions) => enroll(context, token, options));
}

async function enroll(context: CliContext, given: string | undefined, options: EnrollOptions): Promise<void> {
  refuseRoot(context, options.allowRoot);
  await refuseSecondIdentity(context, options.force === true);
  const token = decodeEnrollToken(await readToken(context, given));
  const user = await jobUser(loginUser(context.env), context.home);
  const driver = await openGpuDriver(context, hostname());
  try {
    const [met, gpus] = await Promise.all([meetServer(token), firstGpus(driver)]);
    const facts = await readHostFacts({
      agentVersion: context.version,
      gpu: { gpuDriver: driver.kind, gpuDriverVersion: driver.driverVersion(), gpuProblem: driver.problem() },
    });
    say(context, `Control plane  ${token.origin}${isLoopbackOrigin(token.origin) ? " (this machine)" : ""}`);
    say(context, `  identity     ${showPin(token.identityPin)}, as the token says`);
    say(context, `Name           ${options.name ?? "from the token, or the hostname"} (${hostname()})`);
    say(context, `Jobs run as    ${user.username}`);
    if (user.homeProblem !== null) {
      say(context, `  begin in     ${user.homedir}, their HOME too, since ${user.homeProblem}`);
    }
    say(context, `GPUs           ${describeGpus(gpus, driver.problem())}`);
    if (!(await isConfirmed(context, options))) {
      throw new NexusError("conflict", {
        detail: "Not enrolled: the answer was no. The token is still good.",
      });
    }
    const identity = await enrollAt(met, token, {
      home: context.home,
      machine: { name: options.name ?? null, facts, gpus },
    });
    say(
      context,
      `\nEnrolled as ${showText(identity.name)} (${identity.nodeId}) in ${showText(identity.team)}.`,
    );
  } finally {
    await driver.close();
  }
  if (options.run === true) return await runAgent(context, { allowRoot: options.allowRoot === true });
  const { program, nodePath, env } = context;
  const us = await invocation({ program, nodePath, searched: (env.PATH ?? "").split(delimiter) });
  say(context, "Next:");
  say(context, `  ${us} install-service   keep it running, also after a reboot`);
  say(context, `  ${us} run               run it here, in this terminal`);
}

async function refuseSecondIdentity(context: CliContext, isForced: boolean): Promise<void> {
  const running = await runningAgent(context.home);
  if (running !== null) {
    throw new NexusError("conflict", {
      detail: `An agent (pid ${running}) runs with ${context.home}. Stop it before you enrol this home, or give NEXUS_AGENT_HOME another folder.`,
    });
  }
  if (isForced) return;
  const old = await readIdentity(context.home);
  if (old === null) return;
  throw new NexusError("conflict", {
    detail: `This machine is enrolled already, as ${showText(old.name)} at ${old.origin} (in ${context.home}). To replace that identity add --force; for a second node give NEXUS_AGENT_HOME another folder.`,
  });
}

/** Arguments and environment can be read by every user of the machine; standard input cannot. */
async function readToken(context: CliContext, given: string | undefined): Promise<string> {
  if (given === "-") return (await import("node:stream/consumers")).text(context.stdin);
  const token = given ?? context.env.NEXUS_ENROLL_TOKEN;
  if (token !== undefined && token !== "") return token;
  throw new NexusError("bad_request", {
    detail:
      "There is no token. Make one on the Enrol page of the dashboard, then: nexus-agent enroll <token>, or pipe it into nexus-agent enroll -",
  });
}

async function isConfirmed(context: CliContext, options: EnrollOptions): Promise<boolean> {
  if (options.yes === true || !context.stdin.isTTY || context.stdout.isTTY !== true) return true;
  const { createInterface } = await import("node:readline/promises");
  const asking = createInterface({ input: context.stdin, output: context.stdout });
  try {
    const answer = await asking.question("\nEnrol this machine? [Y/n] ");
    return /^(y|yes|)$/i.test(answer.trim());
  } finally {
    asking.close();
  }
}

/** The driver's first look takes a second or two on a cold machine; no look at all is no reason to wait for ever. */
async function firstGpus(driver: GpuDriver): Promise<GpuFacts[]> {
  if (driver.kind === "none" || driver.list().length > 0) return driver.list();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, GPU_WAIT_MS);
  const unsubscribe = driver.onSample(() => resolve());
  await promise;
  clearTimeout(timer);
  unsubscribe();
  return driver.list();
}

function describeGpus(gpus: GpuFacts[], problem: string | null): string {
  const byName = new Map<string, number>();
  for (const { name, schedulable } of gpus) if (schedulable) byName.set(name, (byName.get(name) ?? 0) + 1);
  const list = [...byName].map(([name, count]) => `${count} × ${showText(name)}`).join(", ");
  const trouble = problem === null ? "" : ` (${showText(problem)})`;
  return `${list || "none"}${trouble}`;
}

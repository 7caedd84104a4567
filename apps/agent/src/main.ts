/** The composition root of `nexus-agent`: takes the world as it is, runs one command, ends with its exit code. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ERROR_TABLE, NexusError } from "@nexus/shared/errors";
import manifest from "../package.json" with { type: "json" };
import { type CliContext, sayError } from "./cli-context.ts";
import { refusalOfDisk } from "./exec/disk-refusal.ts";
import { showText } from "./show-text.ts";

const { stdin, stdout, stderr } = process;
const env = { ...process.env };
// The token is used once and belongs to nobody else: nothing that we start inherits it.
delete process.env.NEXUS_ENROLL_TOKEN;

const context: CliContext = {
  env,
  home: resolve(env.NEXUS_AGENT_HOME || join(homedir(), ".nexus-agent")),
  version: manifest.version,
  scriptPath: fileURLToPath(import.meta.url),
  nodePath: process.execPath,
  program: process.argv[1] ?? fileURLToPath(import.meta.url),
  platform: process.platform,
  uid: process.getuid?.() ?? null,
  stdin,
  stdout,
  stderr,
  onSignal(names, listener) {
    for (const name of names) process.on(name, listener);
  },
};

// `nexus-agent status | head`: who reads has had enough. An agent whose terminal went away goes on without its lines.
stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
stderr.on("error", () => undefined);

let exitCode = 0;
try {
  await execute(process.argv);
} catch (error) {
  exitCode = tell(error);
}
await new Promise<void>((done) => stdout.write("", () => done()));
process.exit(exitCode);

/**
 * The agent lives for months in as little memory as it can: `run` alone goes past the parser of options, which with what it
 * loads is 7 MB of the 70 that an idle agent may have.
 */
async function execute(argv: string[]): Promise<void> {
  const [command, ...flags] = argv.slice(2);
  if (command === "run" && flags.every((flag) => flag === "--allow-root")) {
    const { runAgent } = await import("./commands/run.ts");
    await runAgent(context, { allowRoot: flags.length > 0 });
    return;
  }
  const { createProgram } = await import("./program.ts");
  await createProgram(context).parseAsync(argv);
}

/** @returns the exit code. */
function tell(thrown: unknown): number {
  if (isUsageEnd(thrown)) return thrown.exitCode === 0 ? 0 : ERROR_TABLE.bad_request.exit;
  const error = isDiskTrouble(thrown)
    ? refusalOfDisk(
        thrown,
        `The agent's home ${context.home} cannot be used (NEXUS_AGENT_HOME names another folder)`,
      )
    : thrown;
  if (error instanceof NexusError) {
    const again = error.retryAfterMs === undefined ? "" : ` Try again in ${seconds(error.retryAfterMs)} s.`;
    sayError(context, `nexus-agent: ${showText(error.message)}${again}`);
    return ERROR_TABLE[error.code].exit;
  }
  sayError(
    context,
    `nexus-agent: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
  return ERROR_TABLE.internal.exit;
}

const seconds = (ms: number) => Math.max(1, Math.ceil(ms / 1000));

function isDiskTrouble(error: unknown): boolean {
  const codes = ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM"];
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}

/** Commander's own end of help, version and wrong usage; it has printed what there is to say. */
function isUsageEnd(error: unknown): error is { exitCode: number } {
  return error instanceof Error && "exitCode" in error && error.name === "CommanderError";
}

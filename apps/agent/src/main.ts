/** The composition root of `nexus-agent`: takes the world as it is, runs one command, ends with its exit code. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ERROR_TABLE, NexusError } from "@nexus/shared/errors";
import { CommanderError } from "commander";
import manifest from "../package.json" with { type: "json" };
import { type CliContext, sayError } from "./cli-context.ts";
import { createProgram } from "./program.ts";
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
  platform: process.platform,
  uid: process.getuid?.() ?? null,
  stdin,
  stdout,
  stderr,
  onSignal(names, listener) {
    for (const name of names) process.on(name, listener);
  },
};

let exitCode = 0;
try {
  await createProgram(context).parseAsync(process.argv);
} catch (error) {
  exitCode = tell(error);
}
await new Promise<void>((done) => stdout.write("", () => done()));
process.exit(exitCode);

/** @returns the exit code. */
function tell(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : ERROR_TABLE.bad_request.exit;
  if (error instanceof NexusError) {
    sayError(context, `nexus-agent: ${showText(error.message)}`);
    return ERROR_TABLE[error.code].exit;
  }
  sayError(
    context,
    `nexus-agent: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
  return ERROR_TABLE.internal.exit;
}

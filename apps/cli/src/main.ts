/** The composition root of `nexus`: takes the world as it is, runs one command, ends with its exit code. */
import { homedir } from "node:os";
import { join } from "node:path";
import { ERROR_TABLE, NexusError } from "@nexus/shared/errors";
import { CommanderError } from "commander";
import manifest from "../package.json" with { type: "json" };
import type { Cli } from "./cli.ts";
import { createProgram } from "./program.ts";
import { createPaint } from "./terminal/paint.ts";
import { plain, plainJson } from "./terminal/plain.ts";

const COLUMNS_MIN = 20;

const { env, stdin, stdout, stderr } = process;
const cli: Cli = {
  env,
  home: env.NEXUS_HOME || join(homedir(), ".nexus"),
  stdin,
  stdout,
  stderr,
  paint: createPaint({ isTty: stdout.isTTY, env }),
  paintErr: createPaint({ isTty: stderr.isTTY, env }),
  columns: stdout.isTTY ? Math.max(COLUMNS_MIN, stdout.columns) : null,
  nowMs: () => Date.now(),
  exitCode: 0,
};

// `nexus logs | head`: who reads has had enough, which is no error of ours.
stdout.on("error", (cause: NodeJS.ErrnoException) => {
  if (cause.code === "EPIPE") process.exit(0);
  throw cause;
});

let isJson = asksForJson(process.argv.slice(2));

try {
  const program = createProgram(cli, { version: manifest.version, isJson: () => isJson });
  // In `nexus run tool --json` the option is the tool's.
  program.hook("preAction", (_program, command) => {
    isJson = command.opts().json === true;
  });
  await program.parseAsync(process.argv);
} catch (cause) {
  cli.exitCode = tell(cause);
}
await new Promise<void>((resolve) => stdout.write("", () => resolve()));
process.exit(cli.exitCode);

/** @returns the exit code. */
function tell(cause: unknown): number {
  if (cause instanceof CommanderError) {
    if (cause.exitCode === 0) return 0;
    // Else the parser has told it, with its hint.
    if (isJson) tellAsJson("bad_request", cause.message.replace(/^error: /, ""));
    return ERROR_TABLE.bad_request.exit;
  }
  const { code, message, exit } =
    cause instanceof NexusError
      ? { code: cause.code, message: cause.message, exit: ERROR_TABLE[cause.code].exit }
      : {
          code: "internal",
          message: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause),
          exit: ERROR_TABLE.internal.exit,
        };
  if (isJson) tellAsJson(code, message);
  else {
    const shown = code === "internal" ? message : plain(message);
    stderr.write(`${cli.paintErr("red", "nexus:")} ${shown}\n`);
  }
  return exit;
}

function tellAsJson(code: string, message: string): void {
  stderr.write(`${plainJson({ error: { code, message } })}\n`);
}

/** Known before the arguments are read, since reading them may fail. What follows `--` is the job's. */
function asksForJson(args: string[]): boolean {
  const end = args.indexOf("--");
  return (end < 0 ? args : args.slice(0, end)).includes("--json");
}

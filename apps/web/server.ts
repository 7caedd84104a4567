/** Composition root of the control plane: settings → command → orderly end. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { speakInputWords } from "@nexus/shared/api/input-words";
import { ERROR_TABLE, NexusError } from "@nexus/shared/errors";
import { runMigrate } from "./src/server/commands/run-migrate.ts";
import { runServe } from "./src/server/commands/run-serve.ts";
import { runSignInLink } from "./src/server/commands/run-sign-in-link.ts";
import { withoutParameters } from "./src/server/core/without-parameters.ts";
import { readEnv } from "./src/server/env.ts";
import { createLogger } from "./src/server/logger/create-logger.ts";

// From source this file stands beside `drizzle`; bundled it stands in `dist`.
const here = import.meta.dirname;
const appDir = existsSync(join(here, "drizzle")) ? here : dirname(here);
const { version } = JSON.parse(readFileSync(join(appDir, "package.json"), "utf8")) as { version: string };

async function main([command = "serve", ...args]: string[]): Promise<void> {
  const env = readEnv(process.env);
  const log = createLogger(env.NEXUS_LOG_LEVEL);
  switch (command) {
    case "serve":
      return await runServe({ env, log, appDir, version });
    case "migrate":
      return await runMigrate({ env, log, appDir });
    case "sign-in-link":
      return await runSignInLink({ env, log, appDir, email: args[0] });
    default:
      throw new NexusError("bad_request", {
        detail: `There is no command "${command}". Use: serve (default), migrate, sign-in-link [e-mail].`,
      });
  }
}

speakInputWords();
main(process.argv.slice(2)).catch((cause: unknown) => {
  const refusal = cause instanceof NexusError ? cause : null;
  const said = refusal?.message ?? (cause instanceof Error ? cause.stack : undefined) ?? String(cause);
  process.stderr.write(`${withoutParameters(said)}\n`);
  process.exit(refusal ? ERROR_TABLE[refusal.code].exit : ERROR_TABLE.internal.exit);
});

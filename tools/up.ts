import { fileURLToPath } from "node:url";
import { ERROR_TABLE, NexusError } from "@nexus/shared/errors";
import { personsWish } from "./up/persons-wish.ts";
import { runUp } from "./up/run-up.ts";
import { createTeller } from "./up/say.ts";
import { readSettings } from "./up/settings.ts";

const SCRIPTS = { server: "apps/web/dist/server.js", agent: "apps/agent/dist/nexus-agent.js" };
const EXIT_INTERRUPTED = 130;

const teller = createTeller(process.stdout);
const settings = readSettings(process.env);

if ("problems" in settings) {
  for (const problem of settings.problems) teller.line(problem);
  process.exitCode = ERROR_TABLE.bad_request.exit;
} else {
  try {
    const root = fileURLToPath(new URL("..", import.meta.url));
    const wish = personsWish(() => process.exit(EXIT_INTERRUPTED));
    await runUp({ settings, root, scripts: SCRIPTS, isBuilt: false, teller, wish });
  } catch (cause) {
    if (!(cause instanceof NexusError)) throw cause;
    teller.line(cause.message);
    process.exitCode = ERROR_TABLE[cause.code].exit;
  }
}

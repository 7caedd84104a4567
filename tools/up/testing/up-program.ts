/** Test support: `up` as a process, on scripts that need no build. */
import { ERROR_TABLE, NexusError } from "@nexus/shared/errors";
import { personsWish } from "../persons-wish.ts";
import { runUp } from "../run-up.ts";
import { createTeller } from "../say.ts";
import { readSettings } from "../settings.ts";

const [root = "", server = "", agent = ""] = process.argv.slice(2);
const settings = readSettings(process.env);
if ("problems" in settings) throw new Error(settings.problems.join());
const teller = createTeller(process.stdout);
const wish = personsWish(() => process.exit(130));
try {
  await runUp({ settings, root, scripts: { server, agent }, isBuilt: true, teller, wish });
} catch (cause) {
  if (!(cause instanceof NexusError)) throw cause;
  teller.line(cause.message);
  process.exitCode = ERROR_TABLE[cause.code].exit;
}

import { once } from "node:events";
import { NexusError } from "@nexus/shared/errors";
import { type ServeOptions, serve } from "../serve.ts";

/** Past this an orderly end is not coming any more. */
const STOP_MS_MAX = 25_000;

/** Serves until a signal, or until what it stands on breaks. */
export async function runServe(options: ServeOptions): Promise<void> {
  const { log } = options;
  const signals = Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
  const serving = await serve(options);
  const isBroken = await Promise.race([signals.then(() => false), serving.broken.then(() => true)]);
  log("info", "stopping", { because: isBroken ? "the database ended" : "signal" });
  const limit = setTimeout(() => process.exit(1), STOP_MS_MAX);
  process.once("SIGTERM", () => process.exit(1));
  process.once("SIGINT", () => process.exit(1));
  await serving.stop();
  clearTimeout(limit);
  if (isBroken) {
    throw new NexusError("unavailable", {
      detail:
        "The embedded Postgres ended by itself; its last words are in NEXUS_HOME/postgres. Start Nexus again.",
    });
  }
  // Next keeps timers that would hold the process.
  process.exit(0);
}

import { once } from "node:events";
import { type ServeOptions, serve } from "../serve.ts";

/** Past this an orderly end is not coming any more. */
const STOP_MS_MAX = 25_000;

/** Serves until a signal, or until what it stands on breaks. */
export async function runServe(options: ServeOptions): Promise<void> {
  const { log } = options;
  const signals = Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
  const serving = await serve(options);
  const broken = await Promise.race([signals.then(() => null), serving.broken]);
  log("info", "stopping", { because: broken === null ? "signal" : String(broken) });
  const limit = setTimeout(() => process.exit(1), STOP_MS_MAX);
  process.once("SIGTERM", () => process.exit(1));
  process.once("SIGINT", () => process.exit(1));
  await serving.stop();
  clearTimeout(limit);
  if (broken !== null) throw broken;
  // Next keeps timers that would hold the process.
  process.exit(0);
}

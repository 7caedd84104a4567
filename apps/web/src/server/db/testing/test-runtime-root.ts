import { join } from "node:path";
import { ROOT_RUNTIME_DIR } from "../embedded/runtime.ts";

/** Where tests keep the copy of the Postgres binaries from run to run. */
export function testRuntimeRoot(): string {
  const cache = join(import.meta.dirname, "../../../../../../node_modules/.cache/nexus-postgres");
  // Root lends the server to another user, who may have no way into the checkout.
  return process.getuid?.() === 0 ? ROOT_RUNTIME_DIR : cache;
}

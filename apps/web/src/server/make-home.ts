import { mkdirSync } from "node:fs";
import { NexusError } from "@nexus/shared/errors";

/** @throws NexusError with one sentence when the folder cannot be made, or is none. */
export function makeHome(home: string): void {
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const detail = `The folder of the control plane, NEXUS_HOME=${home}, cannot be made: ${why}.`;
    throw new NexusError("bad_request", { detail, cause });
  }
}

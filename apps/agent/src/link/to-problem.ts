import { NexusError } from "@nexus/shared/errors";
import type { Problem } from "../core/session.ts";
import { unreachable } from "./server-request.ts";

/** Any failure of the world as a code and a sentence. */
export function toProblem(error: unknown, origin: string): Problem {
  const refusal = error instanceof NexusError ? error : unreachable(origin, error);
  return { code: refusal.code, message: refusal.message };
}

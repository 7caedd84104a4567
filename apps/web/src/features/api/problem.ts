/** Makes words of whatever went wrong: what happened, its code, what to do next. */
import { ERROR_TABLE, type ErrorCode, isErrorCode, NexusError } from "@nexus/shared/errors";
import { TRPCClientError } from "@trpc/client";
import type { Problem } from "../../ui/view-state.tsx";
import { HttpProblem } from "./http-problem.ts";

const NEXT: Partial<Record<ErrorCode, string>> = {
  unauthenticated: "Sign in again.",
  forbidden: "Ask an admin of your team for a role that allows it.",
  not_found: "It may have been removed. Go back to the list.",
  conflict: "Reload and look again before you repeat it.",
  invalid_state: "Its state changed meanwhile. Look at it again.",
  rate_limited: "Wait a moment, then try again.",
  unsatisfiable: "Ask for less, or choose another target or labels.",
  target_busy: "Submit it without asking for an immediate start; it then waits in line.",
  target_offline: "Start the agent on that machine, or choose another target.",
  unavailable: "It is starting or its database is away. This page tries again by itself.",
  disk_full: "Free some space on the control plane's disk.",
  internal: "Try again; if it stays, look at the control plane's log.",
};

export function problemOf(error: unknown): Problem {
  const code = codeOf(error);
  if (code === "unreachable") {
    return {
      code,
      title: "The control plane does not answer.",
      next: "Check that it runs and that this machine reaches it. This page tries again by itself.",
    };
  }
  if (!isErrorCode(code)) {
    return {
      code,
      title: messageOf(error),
      next: "Reload the page; if it stays, look at the control plane's log.",
    };
  }
  const message = messageOf(error);
  const text = ERROR_TABLE[code].text;
  return { code, title: message || text, next: NEXT[code] ?? "" };
}

export function isSignedOut(error: unknown): boolean {
  return codeOf(error) === "unauthenticated";
}

function codeOf(error: unknown): string {
  if (error instanceof HttpProblem || error instanceof NexusError) return error.code;
  if (error instanceof TRPCClientError) {
    const code: unknown = (error.data as { nexusCode?: unknown } | undefined)?.nexusCode;
    if (typeof code === "string") return code;
    return "unreachable";
  }
  // `fetch` rejects with a TypeError when no answer came at all.
  return error instanceof TypeError ? "unreachable" : "internal";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

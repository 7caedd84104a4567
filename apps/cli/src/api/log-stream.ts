/**
 * A job's log as it grows. Owns the place up to which bytes were handed out. States: open, away (the server cannot be reached; tried
 * again with growing waits, without end, as the job goes on without us), ended. Invariant: every byte once, in order, whatever happens
 * to the connection: a new one begins where the last byte ended, or with the first byte of the job's next try. Refusals (no such job, signed out) end it with the refusal.
 */
import { decodeLogTroubles } from "@nexus/shared/api/log-troubles";
import type { LogTrouble } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { type Api, isPassing } from "./api.ts";

const WAIT_MS_MIN = 250;
const WAIT_MS_MAX = 10_000;
const STABLE_MS = 1_000;

export type LogStreamOptions = {
  api: Api;
  job: string;
  from: { offset: number } | { tail: number } | { agoMs: number };
  signal: AbortSignal;
  /** Told once when the connection is lost, and once when it is back. */
  onAway?: (isAway: boolean) => void;
  /** The job was started again: offsets count anew. */
  onAgain?: () => void;
  /** Why the log is not whole or does not grow: when that changes, and at the first answer if there is anything. */
  onTroubles?: (troubles: LogTrouble[]) => void;
};

export async function* followLog(
  options: LogStreamOptions,
): AsyncGenerator<{ offset: number; bytes: Uint8Array }> {
  const { api, job, signal, onAway } = options;
  let from = options.from;
  let waitMs = WAIT_MS_MIN;
  let isAway = false;
  let told = "[]";
  /** Whose log it is. */
  let attempt: string | null = null;
  while (!signal.aborted) {
    let openedAtMs: number | null = null;
    try {
      const response = await api.open(
        `/api/v1/jobs/${encodeURIComponent(job)}/log?follow=1&${query(from)}${attempt === null ? "" : `&attempt=${encodeURIComponent(attempt)}`}`,
        signal,
      );
      if (isAway) onAway?.(false);
      isAway = false;
      const troubles = decodeLogTroubles(response.headers.get("x-log-troubles"));
      if (told !== JSON.stringify(troubles)) options.onTroubles?.(troubles);
      told = JSON.stringify(troubles);
      openedAtMs = performance.now();
      const now = response.headers.get("x-log-attempt");
      if (attempt !== null && now !== null && now !== attempt) options.onAgain?.();
      attempt = now ?? attempt;
      let offset = Number(response.headers.get("x-log-offset") ?? 0);
      from = { offset };
      for await (const bytes of response.body ?? []) {
        waitMs = WAIT_MS_MIN;
        yield { offset, bytes };
        offset += bytes.byteLength;
        from = { offset };
      }
      return;
    } catch (cause) {
      if (signal.aborted) return;
      if (cause instanceof NexusError && !isPassing(cause)) throw cause;
      // A stream that breaks off has to be opened again; only when that fails the server is away.
      const isStable = openedAtMs !== null && performance.now() - openedAtMs >= STABLE_MS;
      if (isStable || (openedAtMs !== null && waitMs === WAIT_MS_MIN)) {
        waitMs = 2 * WAIT_MS_MIN;
        continue;
      }
      if (!isAway) onAway?.(true);
      isAway = true;
      await pause(waitMs * (0.5 + Math.random() / 2), signal);
      waitMs = Math.min(waitMs * 2, WAIT_MS_MAX);
    }
  }
}

export function query(from: LogStreamOptions["from"]): string {
  if ("tail" in from) return `tail=${from.tail}`;
  return "agoMs" in from ? `since=${from.agoMs}` : `offset=${from.offset}`;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

/**
 * Shows a job's log as it grows and tells how the job ended. Owns Ctrl-C meanwhile. States: following; asking (output pauses, so that
 * the question stays in sight); killing (follows on to the end); detached. Invariant: only an answer ends the job; a closed terminal,
 * a lost connection and a signal without a terminal leave it running.
 */
import type { Job, LogTrouble } from "@nexus/shared/api/schemas";
import { isFinal } from "@nexus/shared/machines/job";
import type { Api } from "../api/api.ts";
import { followLog } from "../api/log-stream.ts";
import { type Cli, note } from "../cli.ts";
import { askKey } from "../terminal/ask.ts";
import { plain } from "../terminal/plain.ts";

/** An npm between us and the terminal passes the Ctrl-C on that we got already. */
const SAME_PRESS_MS = 300;
const END_POLL_MS = 100;

export type FollowOptions = {
  api: Api;
  job: Job;
  /** Where the log begins to be shown. */
  from: Parameters<typeof followLog>[0]["from"];
  /** Writes a piece of the log; resolves when there is room for more. */
  write: (piece: { offset: number; bytes: Uint8Array }) => Promise<void>;
  onTroubles: (troubles: LogTrouble[]) => void;
};

/** @returns the job as it ended, or null when the person left it running. */
export async function followJob(cli: Cli, options: FollowOptions): Promise<Job | null> {
  const { api, job, write } = options;
  const leave = new AbortController();
  let asking: Promise<void> | null = null;
  let pressedAtMs = Number.NEGATIVE_INFINITY;

  const ask = async () => {
    note(
      cli,
      `\n${plain(job.id)} goes on unless you end it. [d]etach, [k]ill, or any other key to go on watching:`,
    );
    const key = await askKey(cli);
    if (key === "k" || key === "K") {
      await api.callAgain("jobs.cancel", { jobs: [job.id] });
      note(cli, "Ending it…");
    } else if (key === "d" || key === "D" || key === "\u0003") leave.abort();
  };
  const onSignal = (signal: NodeJS.Signals) => {
    const nowMs = cli.nowMs();
    if (asking || nowMs - pressedAtMs < SAME_PRESS_MS) return;
    pressedAtMs = nowMs;
    if (signal !== "SIGINT" || !cli.stdin.isTTY || !cli.stderr.isTTY) {
      leave.abort();
      return;
    }
    asking = ask()
      .catch((cause: unknown) =>
        note(cli, `It was not ended: ${cause instanceof Error ? plain(cause.message) : cause}`),
      )
      .finally(() => {
        asking = null;
      });
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  try {
    const pieces = followLog({
      api,
      job: job.id,
      from: options.from,
      signal: leave.signal,
      onTroubles: options.onTroubles,
      onAgain: () => note(cli, `nexus: ${plain(job.id)} was started again; its log begins anew`),
      onAway: (isAway) =>
        note(cli, isAway ? "nexus: the server cannot be reached; trying again…" : "nexus: connected again"),
    });
    for await (const piece of pieces) {
      if (asking) await asking;
      if (leave.signal.aborted) break;
      await write(piece);
    }
    // The log ends a moment before or after the job's row says so.
    for (;;) {
      if (asking) await asking;
      if (leave.signal.aborted) return null;
      const now = await api.callAgain("jobs.get", { job: job.id });
      if (isFinal(now.state)) {
        options.onTroubles(now.logTroubles);
        return now;
      }
      await new Promise((resolve) => setTimeout(resolve, END_POLL_MS));
    }
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
}

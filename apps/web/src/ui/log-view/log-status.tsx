"use client";
import { durationText } from "@nexus/shared/duration-text";
import { Button } from "../button.tsx";
import { useNow } from "../clock.ts";
import { formatBytes, formatCount } from "../format.ts";
import type { LogFeedState } from "./log-feed.ts";

/** The line under a log: how much there is, how much of it is here, and what is wrong. */
export function LogStatus({ state, onRetry }: { state: LogFeedState; onRetry: () => void }) {
  const { window, size } = state;
  const lastRow = window.row(window.rowCount - 1);
  const lastNumber = lastRow && window.lineNumber(lastRow);
  const held = window.end - window.start;
  const partial = held < size;
  return (
    <footer className="flex h-7 shrink-0 items-center gap-3 overflow-hidden border-t bg-surface-1 px-3 text-11 whitespace-nowrap text-content-3">
      {state.trouble ? (
        <Trouble retryAtMs={state.trouble.retryAtMs} error={state.trouble.error} onRetry={onRetry} />
      ) : (
        <>
          {typeof lastNumber === "number" && !partial && <span>{formatCount(lastNumber)} lines</span>}
          <span>{partial ? `${formatBytes(held)} of ${formatBytes(size)} loaded` : formatBytes(size)}</span>
          {state.loadingEarlier && <span>loading earlier lines…</span>}
          <span className="ml-auto">{state.ended ? "Log complete" : "Live"}</span>
        </>
      )}
    </footer>
  );
}

function Trouble({ error, retryAtMs, onRetry }: { error: unknown; retryAtMs: number; onRetry: () => void }) {
  useNow();
  const leftMs = Math.max(0, retryAtMs - Date.now());
  return (
    <span role="alert" className="flex min-w-0 flex-1 items-center gap-2 text-bad">
      <span className="truncate">
        Could not read the log: {error instanceof Error ? error.message : String(error)}. Next try in{" "}
        {durationText(leftMs)}.
      </span>
      <Button size="small" variant="ghost" className="ml-auto h-5" onClick={onRetry}>
        Now
      </Button>
    </span>
  );
}

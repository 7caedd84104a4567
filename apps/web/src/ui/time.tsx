"use client";
import { durationText } from "@nexus/shared/duration-text";
import { useNow } from "./clock.ts";
import { formatAbsolute, formatRelative } from "./format.ts";

/** A moment, relative, with the absolute time on hover. */
export function Time({ atMs, className }: { atMs: number; className?: string }) {
  const nowMs = useNow();
  return (
    <time
      dateTime={new Date(atMs).toISOString()}
      title={formatAbsolute(atMs)}
      className={className}
      suppressHydrationWarning
    >
      {formatRelative(atMs, nowMs)}
    </time>
  );
}

/** How long something took, or has taken so far. */
export function Duration({ fromMs, toMs }: { fromMs: number; toMs: number | null }) {
  return toMs === null ? <RunningDuration fromMs={fromMs} /> : <span>{durationText(toMs - fromMs)}</span>;
}

function RunningDuration({ fromMs }: { fromMs: number }) {
  return <span>{durationText(useNow() - fromMs)}</span>;
}

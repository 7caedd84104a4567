"use client";
/**
 * A log to read. Owns where the reader is: following the end (until a scroll up), the search and its chosen match, wrapping.
 * What is loaded belongs to the feed, the scrolling to the rows, the picked lines to the caller (they are in the URL).
 */
import { ChevronsDown } from "lucide-react";
import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Button } from "../button.tsx";
import { copyText } from "../copy-text.ts";
import { cx } from "../cx.ts";
import { plural } from "../format.ts";
import { type Command, useCommands } from "../palette/commands.ts";
import { Skeleton } from "../skeleton.tsx";
import { useNarrow } from "../use-narrow.ts";
import type { LogFeed, LogFeedState, LogSource } from "./log-feed.ts";
import { type LogRange, LogRows, type LogRowsHandle } from "./log-rows.tsx";
import { LogStatus } from "./log-status.tsx";
import { LogToolbar } from "./log-toolbar.tsx";
import type { LogRow } from "./row-scanner.ts";
import { useFollow } from "./use-follow.ts";
import { useLogFeed } from "./use-log-feed.ts";
import { useLogSearch } from "./use-log-search.ts";

export type LogViewProps = {
  source: LogSource;
  /** What is known of the log from elsewhere (a subscription); the feed reads up to it. */
  size: number;
  ended: boolean;
  downloadHref?: string;
  /** Shown while the log is empty: it has not begun, or the job wrote nothing. */
  empty: ReactNode;
  picked: LogRange | null;
  onPick: (range: LogRange | null) => void;
  /** A link to the picked lines. */
  linkTo?: (range: LogRange) => string;
  className?: string;
};

const GOAL_RESTS_MS = 400;

export function LogView(props: LogViewProps) {
  const { feed, state } = useLogFeed(props.source, props.size, props.ended);
  return (
    <section
      aria-label="Log"
      className={cx("flex min-h-0 min-w-0 flex-col overflow-hidden", props.className)}
    >
      {feed && state ? <LoadedLog {...props} feed={feed} state={state} /> : <LogSkeleton />}
    </section>
  );
}

function LoadedLog(props: LogViewProps & { feed: LogFeed; state: LogFeedState }) {
  const { feed, state, picked, onPick } = props;
  const { window: log } = state;
  const rows = useRef<LogRowsHandle>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const searchBox = useRef<HTMLInputElement>(null);
  const narrow = useNarrow();
  const [wrapChoice, setWrap] = useState<boolean | null>(null);
  const wrap = wrapChoice ?? narrow;
  const [query, setQuery] = useState("");
  const [currentMatch, setCurrentMatch] = useState<number | null>(null);
  const search = useLogSearch(state, query, props.source);
  const follow = useFollow({ feed, state, scroller, initially: picked === null });

  // A place to go to, from a link or a match: brought into the window, then into view, until the list rests there. While rows
  // come in above, where it stands moves.
  const [goal, setGoal] = useState(picked?.from ?? null);
  const asked = useRef<{ feed: LogFeed; goal: number } | null>(null);
  useEffect(() => {
    if (goal === null) return;
    const offset = Math.min(goal, state.size);
    if (offset < log.start || offset > log.end) {
      // Once for a feed: it takes several reads until the offset is there.
      if (asked.current?.feed !== feed || asked.current.goal !== goal) feed.show(offset);
      asked.current = { feed, goal };
      return;
    }
    if (state.loading) return;
    // In the next frame: the list takes its own scroll position up in this one.
    const frame = requestAnimationFrame(() => rows.current?.show(offset));
    // The list goes to a place in it, not to a row: rows on their way in above would put another row there.
    if (state.loadingEarlier || state.loadingLater) return () => cancelAnimationFrame(frame);
    const rested = setTimeout(() => setGoal(null), GOAL_RESTS_MS);
    return () => {
      cancelAnimationFrame(frame);
      clearTimeout(rested);
    };
  }, [goal, feed, log, state]);

  // Enter is often pressed before the search has looked: the step is then taken once it has.
  const awaited = useRef<1 | -1 | null>(null);
  const searched = search.query === query && search.done;
  useEffect(() => {
    const by = awaited.current;
    if (by === null || !searched) return;
    awaited.current = null;
    step(by);
  });

  function step(by: 1 | -1): void {
    const count = search.query === query ? search.matches.length : 0;
    if (count === 0) {
      awaited.current = searched ? null : by;
      return;
    }
    const next =
      currentMatch === null
        ? nearest(search.matches, rows.current?.firstVisible() ?? 0, by)
        : currentMatch + by;
    const index = (next + count) % count;
    setCurrentMatch(index);
    follow.stop();
    feed.setFollowing(false);
    setGoal(search.matches[index] ?? 0);
  }

  // Rows are drawn again only when something of theirs changed, so what they are given must stay the same.
  const latest = useRef({ picked, onPick, stop: follow.stop, onScroll: follow.onScroll });
  latest.current = { picked, onPick, stop: follow.stop, onScroll: follow.onScroll };
  const pick = useCallback((row: LogRow, extend: boolean) => {
    const { picked: before, onPick: tell, stop } = latest.current;
    const { start } = row;
    stop();
    if (extend && before) tell({ from: Math.min(before.from, start), to: Math.max(before.to, start) });
    else tell(before?.from === start && before.to === start ? null : { from: start, to: start });
  }, []);
  const onScroll = useCallback(() => latest.current.onScroll(), []);

  const pickedRows = picked ? log.indexOf(picked.to) - log.indexOf(picked.from) + 1 : 0;
  const currentOffset = currentMatch === null ? null : (search.matches[currentMatch] ?? null);
  function startFollowing(): void {
    setGoal(null);
    follow.start();
  }
  useLogCommands({
    searchBox,
    wrap,
    setWrap,
    follow: { ...follow, start: startFollowing },
    toStart: () => {
      setGoal(null);
      follow.stop();
      feed.show(0);
      rows.current?.toStart();
    },
  });
  const link = props.linkTo;

  return (
    <>
      <LogToolbar
        searchRef={searchBox}
        query={query}
        onQuery={(next) => {
          setQuery(next);
          setCurrentMatch(null);
          awaited.current = null;
        }}
        search={search}
        current={currentMatch}
        onStep={step}
        partial={search.isPartial}
        following={follow.following}
        onFollow={(next) => (next ? startFollowing() : follow.stop())}
        wrap={wrap}
        onWrap={setWrap}
        downloadHref={props.downloadHref}
        picked={pickedRows}
        onCopy={() => picked && void copyText(textOf(state, picked))}
        onCopyLink={picked && link ? () => void copyText(link(picked)) : undefined}
        onUnpick={() => onPick(null)}
      />
      <div
        className="relative min-h-0 flex-1 bg-surface-0"
        onWheel={() => setGoal(null)}
        onPointerDown={() => setGoal(null)}
      >
        <LogRows
          handle={rows}
          scroller={scroller}
          state={state}
          wrap={wrap}
          query={query}
          currentOffset={currentOffset}
          picked={picked}
          following={follow.following}
          empty={props.empty}
          onPick={pick}
          onScroll={onScroll}
          onStart={feed.loadEarlier}
          onEnd={feed.loadLater}
        />
        {!follow.following && follow.newLines > 0 && (
          <div className="pointer-events-none absolute inset-x-0 bottom-3 flex animate-fade justify-center">
            <Button
              variant="primary"
              size="small"
              onClick={startFollowing}
              className="pointer-events-auto rounded-full! shadow-overlay"
            >
              <ChevronsDown />
              {plural(follow.newLines, "new line")}
            </Button>
          </div>
        )}
      </div>
      <LogStatus state={state} onRetry={feed.retryNow} />
    </>
  );
}

type LogCommands = {
  searchBox: { current: HTMLInputElement | null };
  wrap: boolean;
  setWrap: (wrap: boolean) => void;
  follow: { following: boolean; start: () => void; stop: () => void };
  toStart: () => void;
};

function useLogCommands(view: LogCommands): void {
  const latest = useRef(view);
  latest.current = view;
  const commands = useMemo<Command[]>(
    () => [
      {
        id: "log-search",
        title: "Search this log",
        keys: "/",
        group: "This view",
        run: () => latest.current.searchBox.current?.focus(),
      },
      {
        id: "log-end",
        title: "Follow the end of the log",
        keys: "G",
        group: "This view",
        run: () => latest.current.follow.start(),
      },
      {
        id: "log-start",
        title: "Go to the start of the log",
        keys: "g g",
        group: "This view",
        run: () => latest.current.toStart(),
      },
      {
        id: "log-wrap",
        title: "Wrap lines",
        keys: "w",
        group: "This view",
        run: () => latest.current.setWrap(!latest.current.wrap),
      },
    ],
    [],
  );
  useCommands(commands);
}

function textOf({ window }: LogFeedState, range: LogRange): string {
  let text = "";
  for (let index = window.indexOf(range.from); index < window.rowCount; index++) {
    const row = window.row(index);
    if (!row || row.start > range.to) break;
    if (row.kind === "gap") continue;
    text += (row.continued || text === "" ? "" : "\n") + window.text(row);
  }
  return text;
}

/** The match to begin with: the first at or after what is in view, or the last before it when going back. */
function nearest(matches: readonly number[], offset: number, by: 1 | -1): number {
  const at = matches.findIndex((start) => start >= offset);
  if (by === 1) return at === -1 ? 0 : at;
  return at <= 0 ? matches.length - 1 : at - 1;
}

function LogSkeleton() {
  return (
    <div role="status" aria-label="Loading the log" className="flex flex-col gap-2.5 p-4">
      <Skeleton className="h-2.5 w-2/5" />
      <Skeleton className="h-2.5 w-3/5" />
      <Skeleton className="h-2.5 w-1/2" />
      <Skeleton className="h-2.5 w-1/3" />
    </div>
  );
}

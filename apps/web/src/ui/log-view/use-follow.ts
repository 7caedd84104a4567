"use client";
import { type RefObject, useCallback, useEffect, useRef, useState } from "react";
import type { LogFeed, LogFeedState } from "./log-feed.ts";

export type Follow = {
  following: boolean;
  /** Rows that came since following stopped. */
  newLines: number;
  start: () => void;
  stop: () => void;
  onScroll: () => void;
};

export type FollowOptions = {
  feed: LogFeed;
  state: LogFeedState;
  scroller: RefObject<HTMLElement | null>;
  initially: boolean;
};

/** Up to this far from the end counts as being there: fractional scroll positions are real. */
const AT_END_PX = 8;

/** Follows the end of a log until the reader scrolls up, and again once they are back at the end. */
export function useFollow({ feed, state, scroller, initially }: FollowOptions): Follow {
  const [following, setFollowing] = useState(initially);
  const [leftAt, setLeftAt] = useState<number | null>(null);
  const lastTop = useRef(0);
  const { window } = state;

  useEffect(() => feed.setFollowing(following), [feed, following]);

  const start = useCallback(() => {
    feed.show("end");
    setLeftAt(null);
    setFollowing(true);
  }, [feed]);

  const stop = useCallback(() => {
    setLeftAt((before) => before ?? window.end);
    setFollowing(false);
  }, [window]);

  function onScroll(): void {
    const element = scroller.current;
    if (!element) return;
    const top = element.scrollTop;
    const fromEnd = element.scrollHeight - element.clientHeight - top;
    if (following && top < lastTop.current && fromEnd > AT_END_PX) stop();
    else if (!following && top > lastTop.current && fromEnd <= AT_END_PX && window.end >= state.size) start();
    lastTop.current = top;
  }

  const newLines = leftAt === null || leftAt >= window.end ? 0 : window.rowCount - window.indexOf(leftAt);
  return { following, newLines, start, stop, onScroll };
}

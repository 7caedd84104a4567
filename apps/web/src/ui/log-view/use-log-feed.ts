"use client";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { createLogFeed, type LogFeed, type LogFeedState, type LogSource } from "./log-feed.ts";

const noFeed = () => null;
const nothing = () => undefined;
const noSubscription = () => nothing;

/** A feed for as long as the source stays the same; its changes arrive at most once a frame. */
export function useLogFeed(
  source: LogSource,
  size: number,
  ended: boolean,
): { feed: LogFeed | null; state: LogFeedState | null } {
  const [feed, setFeed] = useState<LogFeed | null>(null);
  const told = useRef({ size, ended });
  told.current = { size, ended };

  useEffect(() => {
    const made = createLogFeed(source, told.current);
    setFeed(made);
    return () => {
      made.close();
      setFeed(null);
    };
  }, [source]);

  useEffect(() => feed?.setSize(size, ended), [feed, size, ended]);

  const state = useSyncExternalStore(
    feed ? (listener) => subscribeFrames(feed, listener) : noSubscription,
    feed ? feed.state : noFeed,
    noFeed,
  );
  return { feed, state };
}

function subscribeFrames(feed: LogFeed, listener: () => void): () => void {
  let frame = 0;
  const stop = feed.subscribe(() => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      listener();
    });
  });
  return () => {
    stop();
    cancelAnimationFrame(frame);
  };
}

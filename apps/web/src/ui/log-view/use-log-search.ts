"use client";
import { useEffect, useRef, useState } from "react";
import type { LogFeedState } from "./log-feed.ts";
import { MATCHES_MAX, NO_SEARCH, type SearchState, searchRows } from "./search.ts";

const DEBOUNCE_MS = 120;

/** Searches what is loaded, and goes on with what arrives. */
export function useLogSearch(state: LogFeedState | null, query: string): SearchState {
  const [search, setSearch] = useState<SearchState>(NO_SEARCH);
  const scanned = useRef({ query: "", window: state?.window, start: 0, to: 0 });

  useEffect(() => {
    if (!state || query === "") {
      setSearch(NO_SEARCH);
      scanned.current = { query: "", window: undefined, start: 0, to: 0 };
      return;
    }
    const { window } = state;
    const goesOn =
      scanned.current.query === query &&
      scanned.current.window === window &&
      scanned.current.start === window.start;
    if (!goesOn) scanned.current = { query, window, start: window.start, to: window.start };
    const from = scanned.current.to;
    const controller = new AbortController();
    const timer = setTimeout(
      () => {
        if (!goesOn) setSearch({ query, matches: [], done: false });
        let first = true;
        void searchRows(window, {
          query,
          fromOffset: from,
          signal: controller.signal,
          found: (matches, scannedTo, done) => {
            const again = first;
            first = false;
            scanned.current.to = scannedTo;
            setSearch((before) => join(before, { query, matches, done }, again ? from : null));
          },
        });
      },
      goesOn ? 0 : DEBOUNCE_MS,
    );
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [state, query]);
  return search;
}

/** The row at `from` is searched again when it had been open, so its old match is dropped first. */
function join(before: SearchState, found: SearchState, from: number | null): SearchState {
  if (before.query !== found.query) return found;
  const old = from === null ? before.matches : before.matches.filter((offset) => offset < from);
  return { ...found, matches: [...old, ...found.matches].slice(0, MATCHES_MAX) };
}

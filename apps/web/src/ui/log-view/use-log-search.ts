"use client";
import { useEffect, useMemo, useRef, useState } from "react";
import type { LogFeedState, LogSource } from "./log-feed.ts";
import { MATCHES_MAX, NO_SEARCH, type SearchState, searchRows } from "./search.ts";

const DEBOUNCE_MS = 120;
/** A search on the server is not begun for every letter. */
const REMOTE_DEBOUNCE_MS = 300;

type Found = Pick<SearchState, "query" | "matches" | "done">;
const NOTHING: Found = { query: "", matches: [], done: true };

export type LogSearchResult = SearchState & {
  /** Less than the whole log was looked at. */
  isPartial: boolean;
};

/**
 * Searches a log. What is loaded is searched here, and goes on with what arrives; where that is not all, the server searches what it
 * has as well. Matches of both are one list, by place.
 */
export function useLogSearch(state: LogFeedState | null, query: string, source: LogSource): LogSearchResult {
  const loaded = useLoadedSearch(state, query);
  const isLoaded = !state || (state.window.start === 0 && state.window.end >= state.size);
  const remote = useRemoteSearch(source, query, !isLoaded);
  return useMemo(() => {
    if (query === "") return { ...NO_SEARCH, isPartial: false };
    const isRemote = remote.query === query && remote.problem === null;
    if (isLoaded || !isRemote) {
      const isPartial = !isLoaded && (remote.problem !== null || !source.search);
      return {
        ...loaded,
        done: loaded.done && (isLoaded || isPartial),
        total: loaded.matches.length,
        isPartial,
      };
    }
    const last = remote.matches.at(-1) ?? -1;
    // What came after the server looked. Where it gave but the first places, what lies behind them is counted already.
    const fresh =
      remote.done && remote.total === remote.matches.length ? loaded.matches.filter((at) => at > last) : [];
    const matches = [...remote.matches, ...fresh];
    return { query, matches, done: remote.done, total: remote.total + fresh.length, isPartial: false };
  }, [query, loaded, remote, isLoaded, source]);
}

function useLoadedSearch(state: LogFeedState | null, query: string): Found {
  const [search, setSearch] = useState<Found>(NOTHING);
  const scanned = useRef({ query: "", window: state?.window, start: 0, to: 0 });

  useEffect(() => {
    if (!state || query === "") {
      setSearch(NOTHING);
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
function join(before: Found, found: Found, from: number | null): Found {
  if (before.query !== found.query) return found;
  const old = from === null ? before.matches : before.matches.filter((offset) => offset < from);
  return { ...found, matches: [...old, ...found.matches].slice(0, MATCHES_MAX) };
}

type RemoteFound = SearchState & { problem: unknown };
const NOTHING_REMOTE: RemoteFound = { ...NO_SEARCH, problem: null };

function useRemoteSearch(source: LogSource, query: string, isWanted: boolean): RemoteFound {
  const [search, setSearch] = useState<RemoteFound>(NOTHING_REMOTE);
  // Once begun it goes on, also when meanwhile all was loaded.
  const isBegun = useRef<string | null>(null);
  if (query === "") isBegun.current = null;
  else if (isWanted) isBegun.current = query;
  const wanted = isBegun.current === query ? query : "";

  useEffect(() => {
    setSearch(NOTHING_REMOTE);
    if (wanted === "" || !source.search) return;
    const controller = new AbortController();
    const { signal } = controller;
    setSearch({ query: wanted, matches: [], total: 0, done: false, problem: null });
    const found = (places: number[], total: number) => {
      if (signal.aborted) return;
      setSearch((before) => ({ ...before, matches: [...before.matches, ...places], total }));
    };
    const end = (problem: unknown) => {
      if (!signal.aborted) setSearch((before) => ({ ...before, done: true, problem }));
    };
    const timer = setTimeout(() => {
      source.search?.(wanted, { signal, placesMax: MATCHES_MAX, found }).then(() => end(null), end);
    }, REMOTE_DEBOUNCE_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [source, wanted]);
  return search;
}

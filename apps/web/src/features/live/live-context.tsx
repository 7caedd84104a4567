"use client";
/**
 * What is live for every view: the fleet, counts of jobs, and jobs as they change. Owns the tab's two standing
 * subscriptions; lists of jobs that are in the query cache are patched in place, and asked for again soon after.
 */
import type { OutputOf } from "@nexus/shared/api/contract";
import type { Job } from "@nexus/shared/api/schemas";
import type { JobState } from "@nexus/shared/machines/job";
import { type InfiniteData, type QueryClient, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, use, useEffect, useState } from "react";
import { setServerNow } from "../../ui/clock.ts";
import { useApi } from "../api/api-context.tsx";
import { applyFleet, type FleetState } from "./fleet-state.ts";

type Live = {
  fleet: FleetState | null;
  /** Why the fleet could not be watched, until it can. */
  fleetError: unknown;
  counts: Partial<Record<JobState, number>>;
};

const LiveContext = createContext<Live>({ fleet: null, fleetError: null, counts: {} });
/** New and re-sorted jobs show up within this time; what is on the screen changes at once. */
const RELIST_MS = 1200;
/** A list with more pages than this is asked for again more seldom: each page is a request. */
const PAGES_RELISTED_MAX = 3;
const LONG_LIST_RELIST_MS = 10_000;

export function LiveProvider({ children }: { children: ReactNode }) {
  const api = useApi();
  const cache = useQueryClient();
  const [fleet, setFleet] = useState<FleetState | null>(null);
  const [fleetError, setFleetError] = useState<unknown>(null);
  const [counts, setCounts] = useState<Live["counts"]>({});

  useEffect(
    () =>
      api.subscribe("fleet.watch", undefined, {
        data: (message) => {
          setServerNow(message.nowMs);
          setFleetError(null);
          setFleet((before) => applyFleet(before, message));
        },
        refused: setFleetError,
      }),
    [api],
  );

  useEffect(() => {
    const relist = throttled(() => relistJobs(cache), RELIST_MS);
    const stop = api.subscribe("jobs.watch", undefined, {
      data: (message) => {
        setServerNow(message.nowMs);
        setCounts(message.counts);
        patchLists(cache, message.changed);
        // The first message after a (re)connect says nothing of what changed meanwhile.
        relist();
      },
    });
    return () => {
      stop();
      relist.cancel();
    };
  }, [api, cache]);

  return <LiveContext value={{ fleet, fleetError, counts }}>{children}</LiveContext>;
}

export function useLive(): Live {
  return use(LiveContext);
}

function patchLists(cache: QueryClient, changed: readonly Job[]): void {
  if (changed.length === 0) return;
  const byId = new Map(changed.map((job) => [job.id, job]));
  cache.setQueriesData<InfiniteData<OutputOf<"jobs.list">>>({ queryKey: ["jobs.list"] }, (data) => {
    if (!data || !("pages" in data) || !data.pages.some((page) => page.jobs.some((job) => byId.has(job.id))))
      return data;
    return {
      ...data,
      pages: data.pages.map((page) => ({ ...page, jobs: page.jobs.map((job) => byId.get(job.id) ?? job) })),
    };
  });
}

function relistJobs(cache: QueryClient): void {
  void cache.invalidateQueries({ queryKey: ["queues.list"] });
  void cache.invalidateQueries({
    queryKey: ["jobs.list"],
    predicate: ({ state }) => {
      const pages = (state.data as { pages?: unknown[] } | undefined)?.pages?.length ?? 1;
      return pages <= PAGES_RELISTED_MAX || Date.now() - state.dataUpdatedAt > LONG_LIST_RELIST_MS;
    },
  });
}

/** Runs at once, then at most once per `everyMs`, never forgetting the last call. */
function throttled(run: () => void, everyMs: number): { (): void; cancel(): void } {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let again = false;
  function later(): void {
    timer = null;
    if (!again) return;
    again = false;
    call();
  }
  function call(): void {
    if (timer) {
      again = true;
      return;
    }
    run();
    timer = setTimeout(later, everyMs);
  }
  call.cancel = () => {
    if (timer) clearTimeout(timer);
  };
  return call;
}

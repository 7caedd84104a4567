"use client";
import type { InputOf, OutputOf } from "@nexus/shared/api/contract";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useApi } from "../api/api-context.tsx";

/** Pages of jobs, kept live by the standing subscription (see live-context). */
export function useJobList(input: InputOf<"jobs.list">) {
  const api = useApi();
  const query = useInfiniteQuery({
    queryKey: ["jobs.list", "pages", input],
    queryFn: ({ pageParam, signal }): Promise<OutputOf<"jobs.list">> =>
      api.query("jobs.list", pageParam ? { ...input, cursor: pageParam } : input, signal),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    // Live changes re-list sooner; this is for a list of many pages, which they spare.
    refetchInterval: 15_000,
  });
  const jobs = useMemo(() => query.data?.pages.flatMap((page) => page.jobs) ?? null, [query.data]);
  return { ...query, jobs, total: query.data?.pages[0]?.total ?? 0 };
}

"use client";
/** Which jobs are listed: kept in the URL, so that a list can be sent to somebody. */
import type { InputOf } from "@nexus/shared/api/contract";
import { ACTIVE_JOB_STATES, JOB_STATES, type JobState } from "@nexus/shared/machines/job";
import { parseAsArrayOf, parseAsString, parseAsStringLiteral, useQueryStates } from "nuqs";

export const JOB_VIEWS = ["all", "active", "waiting", "failed", "mine"] as const;
export type JobListView = (typeof JOB_VIEWS)[number];

const VIEW_STATES: Record<JobListView, readonly JobState[] | null> = {
  all: null,
  active: ACTIVE_JOB_STATES,
  waiting: ["queued"],
  failed: ["failed", "timed_out", "lost"],
  mine: null,
};

const PARAMETERS = {
  view: parseAsStringLiteral(JOB_VIEWS).withDefault("all"),
  state: parseAsArrayOf(parseAsStringLiteral(JOB_STATES)).withDefault([]),
  user: parseAsString.withDefault(""),
  target: parseAsString.withDefault(""),
  queue: parseAsString.withDefault(""),
  q: parseAsString.withDefault(""),
};

export type JobFilter = {
  view: JobListView;
  state: JobState[];
  user: string;
  target: string;
  queue: string;
  q: string;
};

export const NO_FILTER: JobFilter = { view: "all", state: [], user: "", target: "", queue: "", q: "" };

export function useJobFilter() {
  return useQueryStates(PARAMETERS);
}

/** How many filters narrow the view, the text apart. */
export function filtersSet(filter: JobFilter): number {
  return [filter.state.length > 0, filter.user, filter.target, filter.queue].filter(Boolean).length;
}

export function toListInput(filter: JobFilter): InputOf<"jobs.list"> {
  const states = filter.state.length > 0 ? filter.state : VIEW_STATES[filter.view];
  const user = filter.user || (filter.view === "mine" ? "me" : "");
  return {
    limit: 200,
    order: filter.view === "waiting" ? "line" : "newest",
    ...(states ? { states: [...states] } : {}),
    ...(user ? { user } : {}),
    ...(filter.target ? { target: filter.target } : {}),
    ...(filter.queue ? { queue: filter.queue } : {}),
    ...(filter.q ? { text: filter.q } : {}),
  };
}

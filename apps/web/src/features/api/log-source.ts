import type { LogSource } from "../../ui/log-view/log-feed.ts";
import { HttpProblem } from "./http-problem.ts";
import { searchLog } from "./search-log.ts";

/** A job's raw log over plain HTTP ranges. */
export function createLogSource(origin: string, job: string): LogSource {
  const url = `${origin}/api/v1/jobs/${encodeURIComponent(job)}/log`;
  return {
    async lineAt(offset, signal) {
      const response = await fetch(`${url}?offset=${offset}&limit=1&lines=1`, {
        signal,
        credentials: "same-origin",
        cache: "no-store",
      });
      if (!response.ok) throw await HttpProblem.of(response);
      await response.arrayBuffer();
      const line = numberOf(response, "x-log-line", 0);
      if (line === 0) throw new Error("the server does not number lines");
      return line;
    },
    search: (query, options) => searchLog(url, query, options),
    async read(offset, limit, signal) {
      const response = await fetch(`${url}?offset=${offset}&limit=${limit}`, {
        signal,
        credentials: "same-origin",
        cache: "no-store",
      });
      if (!response.ok) throw await HttpProblem.of(response);
      const bytes = new Uint8Array(await response.arrayBuffer());
      return {
        offset: numberOf(response, "x-log-offset", offset),
        bytes,
        size: numberOf(response, "x-log-size", offset + bytes.length),
        ended: response.headers.get("x-log-end") === "1",
      };
    },
  };
}

export function logHref(origin: string, job: string): string {
  return `${origin}/api/v1/jobs/${encodeURIComponent(job)}/log?download=1`;
}

function numberOf(response: Response, header: string, fallback: number): number {
  const value = Number(response.headers.get(header) ?? Number.NaN);
  return Number.isSafeInteger(value) ? value : fallback;
}

"use client";
/** A job's log in its view: where the bytes come from, and lines that can be linked to (`#bytes=120-480`). */
import type { Job, LogTrouble } from "@nexus/shared/api/schemas";
import { isFinal } from "@nexus/shared/machines/job";
import { TriangleAlert } from "lucide-react";
import { useMemo, useState } from "react";
import { Button } from "../../ui/button.tsx";
import type { LogRange } from "../../ui/log-view/log-rows.tsx";
import { LogView } from "../../ui/log-view/log-view.tsx";
import { useApi } from "../api/api-context.tsx";

type JobLogProps = {
  job: Pick<Job, "id" | "state" | "attempt" | "logTroubles">;
  size: number;
  ended: boolean;
};

export function JobLog({ job, size, ended }: JobLogProps) {
  const api = useApi();
  const source = useMemo(() => api.logSource(job.id), [api, job.id]);
  const [picked, setPicked] = useState(rangeInUrl);
  /** A place is gone to once for a view; a new one goes again. */
  const [shown, setShown] = useState(0);

  function pick(range: LogRange | null): void {
    setPicked(range);
    const hash = range ? hashOf(range) : " ";
    window.history.replaceState(window.history.state, "", hash === " " ? window.location.pathname : hash);
  }

  return (
    <div className="flex min-h-0 min-w-0 flex-1 flex-col">
      <LogTroubles
        // Why it waits stands beside its state.
        troubles={job.logTroubles.filter(({ code }) => code !== "held")}
        onShow={(offset) => {
          pick({ from: offset, to: offset });
          setShown(shown + 1);
        }}
      />
      <LogView
        key={shown}
        source={source}
        size={size}
        ended={ended}
        downloadHref={api.logHref(job.id)}
        picked={picked}
        onPick={pick}
        linkTo={(range) => `${window.location.origin}${window.location.pathname}${hashOf(range)}`}
        empty={emptyText(job, ended)}
        className="flex-1"
      />
    </div>
  );
}

type LogTroublesProps = { troubles: LogTrouble[]; onShow: (offset: number) => void };

/** Why the log is not all that the job wrote, or does not grow; with the byte from which it may lack something. */
function LogTroubles({ troubles, onShow }: LogTroublesProps) {
  return troubles.map(({ code, message, offset }) => (
    <p
      key={code}
      role="status"
      className="flex shrink-0 items-center gap-2 border-b bg-wait-soft px-3 py-1.5 text-12 text-content-1"
    >
      <TriangleAlert aria-hidden className="size-3.5 shrink-0 text-wait" />
      <span className="min-w-0 flex-1 break-words first-letter:uppercase">{message}.</span>
      {offset !== null && (
        <Button size="small" variant="ghost" className="h-5" onClick={() => onShow(offset)}>
          Show
        </Button>
      )}
    </p>
  ));
}

function emptyText(job: JobLogProps["job"], ended: boolean): string {
  if (job.state === "queued" || job.state === "assigned" || job.state === "starting") {
    return "The job has not started; its log appears here as it is written.";
  }
  if (!isFinal(job.state)) return "The job runs and has written nothing yet.";
  if (!ended) return "The job has ended; the last of its log is still on its way.";
  if (job.logTroubles.some(({ code }) => code === "removed")) return "There is nothing to show any more.";
  return "The job wrote nothing.";
}

function hashOf(range: LogRange): string {
  return range.from === range.to ? `#bytes=${range.from}` : `#bytes=${range.from}-${range.to}`;
}

function rangeInUrl(): LogRange | null {
  const match = /^#bytes=(\d{1,16})(?:-(\d{1,16}))?$/.exec(window.location.hash);
  if (!match) return null;
  const from = Number(match[1]);
  return { from, to: match[2] ? Number(match[2]) : from };
}

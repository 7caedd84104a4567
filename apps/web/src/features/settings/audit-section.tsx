"use client";
import type { OutputOf } from "@nexus/shared/api/contract";
import { ScrollText } from "lucide-react";
import { Panel } from "../../ui/panel.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Time } from "../../ui/time.tsx";
import { EmptyState, ErrorState } from "../../ui/view-state.tsx";
import { useApiQuery } from "../api/api-context.tsx";
import { problemOf } from "../api/problem.ts";

const EVENTS_SHOWN = 200;

/** Who changed what, newest first. */
export function AuditSection() {
  const audit = useApiQuery("audit.list", { limit: EVENTS_SHOWN });
  return (
    <Panel title={`Audit: the last ${EVENTS_SHOWN} events`} flush>
      {audit.error && !audit.data ? (
        <ErrorState problem={problemOf(audit.error)} onRetry={() => void audit.refetch()} />
      ) : !audit.data ? (
        <SkeletonRows rows={8} label="Loading the audit" />
      ) : audit.data.length === 0 ? (
        <EmptyState icon={ScrollText} title="Nothing yet">
          Sign-ins, tokens, members, machines: what people change is written down here.
        </EmptyState>
      ) : (
        <ul>
          {audit.data.map((event, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: two events may say the same at the same moment.
            <AuditRow key={index} event={event} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function AuditRow({ event }: { event: OutputOf<"audit.list">[number] }) {
  return (
    <li className="flex min-h-8 flex-wrap items-baseline gap-x-2.5 border-b px-4 py-1.5 last:border-0">
      <span className="font-medium">{event.actor}</span>
      <span className="font-mono text-12">{event.action}</span>
      <span className="min-w-0 truncate text-content-2">{event.subject}</span>
      <Time atMs={event.atMs} className="ml-auto text-12 text-content-3" />
      {event.detail && <span className="basis-full text-12 break-words text-content-3">{event.detail}</span>}
    </li>
  );
}

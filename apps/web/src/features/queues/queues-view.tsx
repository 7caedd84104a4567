"use client";
import type { Queue } from "@nexus/shared/api/schemas";
import { ListOrdered, Plus } from "lucide-react";
import { useMemo, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Column, Page } from "../../ui/page.tsx";
import { type Command, useCommands } from "../../ui/palette/commands.ts";
import { Panel } from "../../ui/panel.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Dimmed, EmptyState, ErrorState } from "../../ui/view-state.tsx";
import { useApiQuery, useConnection } from "../api/api-context.tsx";
import { useRoleReason } from "../api/me.ts";
import { problemOf } from "../api/problem.ts";
import { QueueDialog } from "./queue-dialog.tsx";
import { QueueRow, QueueRowHead } from "./queue-row.tsx";
import { RemoveQueueDialog } from "./remove-queue-dialog.tsx";

/** The team's lines of jobs: what each lets through, who waits in it, and for how long. */
export function QueuesView() {
  const queues = useApiQuery("queues.list", undefined);
  const { lostSinceMs, wasLive } = useConnection();
  const [edited, setEdited] = useState<Queue | "new" | null>(null);
  const [removed, setRemoved] = useState<Queue | null>(null);
  const reason = useRoleReason("admin");
  const commands = useMemo<Command[]>(
    () => [
      {
        id: "new-queue",
        title: "New queue",
        icon: Plus,
        keys: "n",
        group: "This view",
        disabledReason: reason,
        run: () => setEdited("new"),
      },
    ],
    [reason],
  );
  useCommands(commands);
  const sorted = useMemo(
    () => queues.data?.toSorted((a, b) => b.priority - a.priority || a.name.localeCompare(b.name)),
    [queues.data],
  );

  return (
    <Page
      title="Queues"
      aside={sorted && <span className="text-12 text-content-3">{sorted.length}</span>}
      actions={
        <Button variant="primary" disabledReason={reason} onClick={() => setEdited("new")}>
          <Plus /> New queue
        </Button>
      }
    >
      <Column wide>
        {queues.error && !sorted ? (
          <ErrorState problem={problemOf(queues.error)} onRetry={() => void queues.refetch()} />
        ) : !sorted ? (
          <SkeletonRows rows={4} label="Loading queues" />
        ) : sorted.length === 0 ? (
          <EmptyState icon={ListOrdered} title="No queue yet">
            The first job makes the queue <code className="font-mono text-12">default</code>.
          </EmptyState>
        ) : (
          <Dimmed stale={lostSinceMs !== null && wasLive}>
            <Panel flush>
              <QueueRowHead />
              {sorted.map((queue) => (
                <QueueRow
                  key={queue.name}
                  queue={queue}
                  onEdit={() => setEdited(queue)}
                  onRemove={() => setRemoved(queue)}
                />
              ))}
            </Panel>
            <p className="mt-3 text-12 text-content-3">
              Jobs of a queue with a higher priority go first; within one, by their own priority, then by each
              person’s fair share, then by age.
            </p>
          </Dimmed>
        )}
      </Column>
      {removed !== null && (
        <RemoveQueueDialog
          queue={removed}
          names={(sorted ?? []).map(({ name }) => name)}
          onClose={() => setRemoved(null)}
        />
      )}
      {edited !== null && (
        <QueueDialog
          queue={edited === "new" ? null : edited}
          names={(sorted ?? []).map(({ name }) => name)}
          onClose={() => setEdited(null)}
        />
      )}
    </Page>
  );
}

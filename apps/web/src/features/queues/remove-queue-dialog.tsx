"use client";
import { DEFAULT_QUEUE, type Queue } from "@nexus/shared/api/schemas";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { ConfirmDialog } from "../../ui/confirm-dialog.tsx";
import { Field } from "../../ui/field.tsx";
import { formatCount } from "../../ui/format.ts";
import { Select } from "../../ui/select.tsx";
import { toast } from "../../ui/toaster.tsx";
import { InlineProblem } from "../../ui/view-state.tsx";
import { queryKey, useApiMutation } from "../api/api-context.tsx";
import { problemOf } from "../api/problem.ts";

type RemoveQueueDialogProps = { queue: Queue; names: readonly string[]; onClose: () => void };

/** An empty queue goes at once; of another one must say where its jobs go on. */
export function RemoveQueueDialog({ queue, names, onClose }: RemoveQueueDialogProps) {
  const { name, queued, running } = queue;
  const [moveTo, setMoveTo] = useState(DEFAULT_QUEUE);
  const cache = useQueryClient();
  const isEmpty = queued + running === 0;
  const remove = useApiMutation("queues.remove", ({ moved }) => {
    toast.success(`${name} was removed`, {
      ...(moved === 0 ? {} : { description: `${formatCount(moved)} of its jobs go on in ${moveTo}.` }),
    });
    return cache.invalidateQueries({ queryKey: queryKey("queues.list") });
  });
  return (
    <ConfirmDialog
      open
      onOpenChange={onClose}
      title={`Remove queue ${name}?`}
      description="Jobs that ended in it keep its name."
      action="Remove queue"
      onConfirm={() =>
        remove.mutateAsync({ name, ...(isEmpty ? {} : { moveTo }) }).then(
          () => true,
          () => false,
        )
      }
    >
      <div className="flex flex-col gap-4">
        {isEmpty ? (
          <p className="text-content-2">Nothing waits or runs in it.</p>
        ) : (
          <Field
            label="Its jobs go on in"
            hint={`${formatCount(queued)} waiting, ${formatCount(running)} running. What runs is not interrupted.`}
          >
            {(control) => (
              <Select
                id={control.id}
                describedBy={control["aria-describedby"]}
                label="Its jobs go on in"
                value={moveTo}
                options={names.filter((one) => one !== name).map((one) => ({ value: one, label: one }))}
                onChange={setMoveTo}
              />
            )}
          </Field>
        )}
        {remove.error && <InlineProblem problem={problemOf(remove.error)} />}
      </div>
    </ConfirmDialog>
  );
}

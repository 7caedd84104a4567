"use client";
import { nameSchema, type Queue } from "@nexus/shared/api/schemas";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Checkbox } from "../../ui/checkbox.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Field, Input } from "../../ui/field.tsx";
import { toast } from "../../ui/toaster.tsx";
import { InlineProblem } from "../../ui/view-state.tsx";
import { queryKey, useApiMutation } from "../api/api-context.tsx";
import { problemOf } from "../api/problem.ts";
import { type QueueForm, type QueueLimitField, queueFormOf, readQueueForm } from "./queue-form.ts";

type QueueDialogProps = {
  /** The one to change; null makes a new one. */
  queue: Queue | null;
  /** Of all queues there are. */
  names: readonly string[];
  onClose: () => void;
};

const LIMIT_LABELS: readonly [field: QueueLimitField, label: string][] = [
  ["runningMax", "Jobs at once"],
  ["gpusMax", "GPUs at once"],
  ["userRunningMax", "Jobs a person"],
  ["userGpusMax", "GPUs a person"],
];

/** A queue's name stays what it is: jobs carry it. */
export function QueueDialog({ queue, names, onClose }: QueueDialogProps) {
  const [form, setForm] = useState<QueueForm>(() => queueFormOf(queue));
  const cache = useQueryClient();
  const id = useId();
  const put = useApiMutation("queues.put", (saved) => {
    toast.success(queue ? `${saved.name} was changed` : `${saved.name} is open for jobs`);
    onClose();
    return cache.invalidateQueries({ queryKey: queryKey("queues.list") });
  });
  const { input, errors } = readQueueForm(form);
  const nameError =
    form.name === ""
      ? null
      : !nameSchema.safeParse(form.name).success
        ? "1 to 63 of a–z 0–9 . _ -, beginning and ending with a letter or digit."
        : queue === null && names.includes(form.name)
          ? "There is a queue of this name."
          : null;
  const reason =
    form.name === ""
      ? "Give it a name."
      : nameError || Object.keys(errors).length > 0
        ? "Mend what is marked first."
        : null;
  const set = (change: Partial<QueueForm>) => setForm((before) => ({ ...before, ...change }));
  function submit(event: FormEvent): void {
    event.preventDefault();
    if (input && !reason && !put.isPending) put.mutate({ ...input, only: queue ? "existing" : "new" });
  }
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={queue ? `Queue ${queue.name}` : "New queue"}
      description="A line of jobs that the team shares."
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button variant="primary" type="submit" form={id} busy={put.isPending} disabledReason={reason}>
            {queue ? "Save" : "Make queue"}
          </Button>
        </>
      }
    >
      <form id={id} onSubmit={submit} className="flex flex-col gap-4" noValidate>
        {queue === null && (
          <Field label="Name" hint="Jobs join it by this name: nexus add -q <name>" error={nameError}>
            {(control) => (
              <Input
                {...control}
                value={form.name}
                autoComplete="off"
                autoCapitalize="none"
                onChange={(event) => set({ name: event.target.value })}
              />
            )}
          </Field>
        )}
        <Field label="Priority" hint="Higher goes first." error={errors.priority}>
          {(control) => (
            <Input
              {...control}
              inputMode="numeric"
              value={form.priority}
              onChange={(event) => set({ priority: event.target.value })}
            />
          )}
        </Field>
        <div className="grid grid-cols-2 gap-4">
          {LIMIT_LABELS.map(([field, label]) => (
            <LimitField
              key={field}
              label={label}
              value={form[field]}
              error={errors[field]}
              onChange={(value) => set({ [field]: value })}
            />
          ))}
        </div>
        <Field
          label="Only on labels"
          optional
          error={errors.labels}
          hint="Its jobs run where all match: role=train fast"
        >
          {(control) => (
            <Input
              {...control}
              value={form.labels}
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              placeholder="anywhere"
              onChange={(event) => set({ labels: event.target.value })}
            />
          )}
        </Field>
        <Field label="Only on targets" optional hint="Names, with spaces between.">
          {(control) => (
            <Input
              {...control}
              value={form.targets}
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              placeholder="all of them"
              onChange={(event) => set({ targets: event.target.value })}
            />
          )}
        </Field>
        {/* biome-ignore lint/a11y/noLabelWithoutControl: the checkbox within is the control. */}
        <label className="flex items-start gap-2.5">
          <Checkbox
            className="mt-0.5"
            checked={form.paused}
            onCheckedChange={(on) => set({ paused: on === true })}
          />
          <span>
            Paused
            <span className="block text-12 text-content-3">
              Jobs may join, and none starts. What runs goes on.
            </span>
          </span>
        </label>
        {put.error && <InlineProblem problem={problemOf(put.error)} />}
      </form>
    </Dialog>
  );
}

type LimitProps = {
  label: string;
  value: string;
  error: string | undefined;
  onChange: (value: string) => void;
};

function LimitField({ label, value, error, onChange }: LimitProps) {
  return (
    <Field label={label} error={error}>
      {(control) => (
        <Input
          {...control}
          inputMode="numeric"
          placeholder="no limit"
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

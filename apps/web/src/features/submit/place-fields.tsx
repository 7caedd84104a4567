"use client";
import { Field, Input } from "../../ui/field.tsx";
import { Segmented } from "../../ui/segmented.tsx";
import { Select } from "../../ui/select.tsx";
import { useApiQuery } from "../api/api-context.tsx";
import { useLive } from "../live/live-context.tsx";
import { TARGET_STATUS, targetExtra } from "../status/target-status.ts";
import type { FieldsProps } from "./fields.ts";

export function PlaceFields({ form, errors, onChange }: FieldsProps) {
  const { fleet } = useLive();
  const queues = useApiQuery("queues.list", undefined, { staleMs: 60_000 });
  const targets = (fleet?.targets ?? []).map((target) => ({
    value: target.name,
    label: target.name,
    note: (targetExtra(target) ?? TARGET_STATUS[target.state]).label,
  }));
  if (form.target && !targets.some(({ value }) => value === form.target)) {
    targets.unshift({ value: form.target, label: form.target, note: "not in the fleet" });
  }
  const queueNames = new Set(["default", form.queue, ...(queues.data ?? []).map(({ name }) => name)]);
  return (
    <fieldset>
      <legend className="mb-3 font-semibold">Where</legend>
      <div className="flex flex-col gap-4">
        <Segmented
          label="Where it runs"
          value={form.where}
          onChange={(where) => onChange({ where })}
          className="self-start narrow:w-full"
          options={[
            { value: "any", label: "Anywhere it fits" },
            { value: "target", label: "One target" },
            { value: "labels", label: "By labels" },
          ]}
        />
        {form.where === "target" && (
          <Field label="Target" error={errors.target}>
            {(control) => (
              <Select
                id={control.id}
                describedBy={control["aria-describedby"]}
                label="Target"
                value={form.target}
                options={targets}
                onChange={(target) => onChange({ target })}
              />
            )}
          </Field>
        )}
        {form.where === "labels" && (
          <Field label="Labels" error={errors.labels} hint="All must match: role=training fast">
            {(control) => (
              <Input
                {...control}
                value={form.labels}
                spellCheck={false}
                autoCapitalize="off"
                onChange={(event) => onChange({ labels: event.target.value })}
              />
            )}
          </Field>
        )}
        <div className="grid grid-cols-2 gap-4">
          <Field label="Queue" error={errors.queue}>
            {(control) => (
              <Select
                id={control.id}
                label="Queue"
                value={form.queue}
                options={Array.from(queueNames, (name) => ({ value: name, label: name }))}
                onChange={(queue) => onChange({ queue })}
              />
            )}
          </Field>
          <Field label="Priority" error={errors.priority} hint="Higher goes first">
            {(control) => (
              <Input
                {...control}
                inputMode="numeric"
                value={form.priority}
                onChange={(event) => onChange({ priority: event.target.value })}
              />
            )}
          </Field>
        </div>
      </div>
    </fieldset>
  );
}

"use client";
import { Field, Input } from "../../ui/field.tsx";
import type { FieldsProps } from "./fields.ts";

export function ResourceFields({ form, errors, onChange }: FieldsProps) {
  return (
    <fieldset>
      <legend className="mb-3 font-semibold">Resources</legend>
      <div className="grid grid-cols-4 gap-4 narrow:grid-cols-2">
        <Field label="GPUs" error={errors.gpus} hint={form.gpus === "" ? "1 where there are any" : undefined}>
          {(control) => (
            <Input
              {...control}
              inputMode="numeric"
              value={form.gpus}
              placeholder="auto"
              onChange={(event) => onChange({ gpus: event.target.value })}
            />
          )}
        </Field>
        <Field label="Memory each, GiB" error={errors.gpuMemoryGib} hint="Lets jobs share a GPU">
          {(control) => (
            <Input
              {...control}
              inputMode="decimal"
              value={form.gpuMemoryGib}
              placeholder="whole GPU"
              onChange={(event) => onChange({ gpuMemoryGib: event.target.value })}
            />
          )}
        </Field>
        <Field label="GPU model" error={errors.gpuModel} hint="Part of its name">
          {(control) => (
            <Input
              {...control}
              value={form.gpuModel}
              placeholder="any"
              onChange={(event) => onChange({ gpuModel: event.target.value })}
            />
          )}
        </Field>
        <Field label="Time limit" error={errors.timeout} hint="90s, 30m, 12h, 2d">
          {(control) => (
            <Input
              {...control}
              value={form.timeout}
              placeholder="none"
              onChange={(event) => onChange({ timeout: event.target.value })}
            />
          )}
        </Field>
      </div>
    </fieldset>
  );
}

"use client";
import { Checkbox } from "../../ui/checkbox.tsx";
import { Field, Input, TextArea } from "../../ui/field.tsx";
import type { FieldsProps } from "./fields.ts";

export function CommandFields({ form, errors, onChange }: FieldsProps) {
  return (
    <fieldset className="flex flex-col gap-4">
      <legend className="sr-only">Command</legend>
      <Field label="Command" error={errors.command}>
        {(control) => (
          <TextArea
            {...control}
            autoFocus
            value={form.command}
            rows={3}
            spellCheck={false}
            autoCapitalize="off"
            placeholder={
              form.script
                ? "set -e\nmake data && python train.py | tee out.txt"
                : "python train.py --epochs 10"
            }
            onChange={(event) => onChange({ command: event.target.value })}
          />
        )}
      </Field>
      {/* biome-ignore lint/a11y/noLabelWithoutControl: the checkbox inside is the control. */}
      <label className="-mt-2 flex items-center gap-2 text-content-2">
        <Checkbox checked={form.script} onCheckedChange={(on) => onChange({ script: on === true })} />
        Run in a shell <span className="text-12 text-content-3">for pipes, && and $variables</span>
      </label>
      <div className="grid grid-cols-2 gap-4 narrow:grid-cols-1">
        <Field label="Name" optional error={errors.name}>
          {(control) => (
            <Input
              {...control}
              value={form.name}
              onChange={(event) => onChange({ name: event.target.value })}
            />
          )}
        </Field>
        <Field label="Working directory" optional error={errors.cwd}>
          {(control) => (
            <Input
              {...control}
              value={form.cwd}
              placeholder="the home of the user that runs the job"
              spellCheck={false}
              autoCapitalize="off"
              onChange={(event) => onChange({ cwd: event.target.value })}
            />
          )}
        </Field>
      </div>
    </fieldset>
  );
}

"use client";
import { Field, Input } from "../../ui/field.tsx";
import type { FieldsProps } from "./fields.ts";

/** What becomes of the job when its node is not heard of any more. */
export function RetryFields({ form, errors, onChange }: FieldsProps) {
  const isOn = form.retryLost.trim() !== "" && form.retryLost.trim() !== "0";
  return (
    <fieldset>
      <legend className="mb-3 font-semibold">If its node falls silent</legend>
      <div className="grid grid-cols-2 gap-4">
        <Field
          label="Start it again"
          error={errors.retryLost}
          hint={isOn ? "Times at most" : "Empty: it waits for its node"}
        >
          {(control) => (
            <Input
              {...control}
              inputMode="numeric"
              value={form.retryLost}
              placeholder="never"
              onChange={(event) => onChange({ retryLost: event.target.value })}
            />
          )}
        </Field>
        {isOn && (
          <Field label="After a silence of" error={errors.lostAfter} hint="10s to 30d: 90s, 10m, 12h">
            {(control) => (
              <Input
                {...control}
                value={form.lostAfter}
                onChange={(event) => onChange({ lostAfter: event.target.value })}
              />
            )}
          </Field>
        )}
      </div>
      {isOn && (
        <p className="mt-2 text-12 text-content-3">
          What began on the silent node may still run there, so two may overlap until it is back. Choose this
          for jobs that bear it, such as those that go on from a checkpoint.
        </p>
      )}
    </fieldset>
  );
}

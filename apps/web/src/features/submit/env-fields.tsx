"use client";
import { Plus, X } from "lucide-react";
import { type ClipboardEvent, useRef } from "react";
import { Button, IconButton } from "../../ui/button.tsx";
import { Input } from "../../ui/field.tsx";
import type { FieldsProps } from "./fields.ts";
import type { EnvRow } from "./job-form.ts";

/** Environment variables in rows. Several pasted `NAME=value` lines become as many rows. */
export function EnvFields({ form, errors, onChange }: FieldsProps) {
  const nextId = useRef(form.env.length);
  const row = (name = "", value = ""): EnvRow => ({ id: nextId.current++, name, value });
  const set = (id: number, part: Partial<EnvRow>) =>
    onChange({ env: form.env.map((one) => (one.id === id ? { ...one, ...part } : one)) });

  function onPaste(event: ClipboardEvent, id: number): void {
    const lines = event.clipboardData
      .getData("text")
      .split("\n")
      .filter((line) => line.includes("="));
    if (lines.length < 2) return;
    event.preventDefault();
    const pasted = lines.map((line) => {
      const at = line.indexOf("=");
      return row(
        line
          .slice(0, at)
          .replace(/^\s*(export\s+)?/, "")
          .trim(),
        line.slice(at + 1).replace(/^(['"])(.*)\1$/, "$2"),
      );
    });
    onChange({ env: [...form.env.filter((one) => one.id !== id || one.name || one.value), ...pasted] });
  }

  return (
    <fieldset>
      <legend className="mb-3 font-semibold">Environment</legend>
      <div className="flex flex-col gap-2">
        {form.env.map(({ id, name, value }) => (
          <div key={id} className="flex items-center gap-2">
            <Input
              aria-label="Name of the variable"
              value={name}
              placeholder="NAME"
              spellCheck={false}
              autoCapitalize="off"
              autoFocus={name === ""}
              className="w-2/5! font-mono wide:text-12"
              onPaste={(event) => onPaste(event, id)}
              onChange={(event) => set(id, { name: event.target.value })}
            />
            <Input
              aria-label={`Value of ${name || "the variable"}`}
              value={value}
              placeholder="value"
              spellCheck={false}
              autoCapitalize="off"
              className="font-mono wide:text-12"
              onChange={(event) => set(id, { value: event.target.value })}
            />
            <IconButton
              label={`Remove ${name || "this variable"}`}
              onClick={() => onChange({ env: form.env.filter((one) => one.id !== id) })}
            >
              <X />
            </IconButton>
          </div>
        ))}
        {errors.env && (
          <p role="alert" className="text-12 text-bad">
            {errors.env}
          </p>
        )}
        <Button
          variant="ghost"
          className="self-start"
          onClick={() => onChange({ env: [...form.env, row()] })}
        >
          <Plus /> Add a variable
        </Button>
      </div>
    </fieldset>
  );
}

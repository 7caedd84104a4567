"use client";
import { type ComponentProps, type ReactNode, useId } from "react";
import { cx } from "./cx.ts";

const CONTROL =
  "w-full rounded-md border border-border-2 bg-surface-1 px-2.5 text-13 text-content-1 placeholder:text-content-3 " +
  "transition-colors hover:border-content-3 focus-visible:border-accent focus-visible:outline-offset-0 " +
  "aria-invalid:border-bad narrow:text-16";

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input {...rest} className={cx(CONTROL, "h-8 narrow:h-10", className)} />;
}

export function TextArea({ className, ...rest }: ComponentProps<"textarea">) {
  return <textarea {...rest} className={cx(CONTROL, "min-h-20 py-1.5 font-mono", className)} />;
}

type FieldProps = {
  label: string;
  /** What it does, or its default: always visible, below the control. */
  hint?: ReactNode;
  error?: string | null | undefined;
  optional?: boolean;
  className?: string;
  children: (control: {
    id: string;
    "aria-describedby": string | undefined;
    "aria-invalid": boolean | undefined;
  }) => ReactNode;
};

export function Field({ label, hint, error, optional = false, className, children }: FieldProps) {
  const id = useId();
  const noteId = `${id}-note`;
  return (
    <div className={cx("flex min-w-0 flex-col gap-1", className)}>
      <label htmlFor={id} className="flex items-baseline gap-1.5 text-12 font-medium text-content-2">
        {label}
        {optional && <span className="font-normal text-content-3">optional</span>}
      </label>
      {children({
        id,
        "aria-describedby": error || hint ? noteId : undefined,
        "aria-invalid": error ? true : undefined,
      })}
      {(error || hint) && (
        <p
          id={noteId}
          role={error ? "alert" : undefined}
          className={cx("text-12", error ? "text-bad" : "text-content-3")}
        >
          {error ?? hint}
        </p>
      )}
    </div>
  );
}

"use client";
import { ToggleGroup } from "radix-ui";
import type { ReactNode } from "react";
import { cx } from "./cx.ts";

type SegmentedProps<T extends string> = {
  value: T;
  onChange: (value: T) => void;
  label: string;
  options: readonly { value: T; label: string; icon?: ReactNode }[];
  /** Icons only; labels become tooltips and names. */
  compact?: boolean;
  className?: string;
};

/** One of a few, all visible. */
export function Segmented<T extends string>({
  value,
  onChange,
  label,
  options,
  compact = false,
  className,
}: SegmentedProps<T>) {
  return (
    <ToggleGroup.Root
      type="single"
      value={value}
      aria-label={label}
      onValueChange={(next) => next && onChange(next as T)}
      className={cx("inline-flex h-8 items-center gap-0.5 rounded-md bg-surface-2 p-0.5", className)}
    >
      {options.map((option) => (
        <ToggleGroup.Item
          key={option.value}
          value={option.value}
          aria-label={option.label}
          title={compact ? option.label : undefined}
          className={cx(
            "inline-flex h-7 flex-1 whitespace-nowrap items-center justify-center gap-1.5 rounded-[5px] px-2.5 text-12 font-medium text-content-2",
            "transition-colors hover:text-content-1 data-[state=on]:bg-surface-1 data-[state=on]:text-content-1",
            "data-[state=on]:shadow-[0_0_0_1px_var(--border-2)] [&_svg]:size-3.5",
          )}
        >
          {option.icon}
          {!compact && option.label}
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  );
}

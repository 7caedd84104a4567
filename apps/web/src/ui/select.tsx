"use client";
import { Check, ChevronDown } from "lucide-react";
import { Select as RadixSelect } from "radix-ui";
import { cx } from "./cx.ts";

export type SelectOption<T extends string> = { value: T; label: string; note?: string };

type SelectProps<T extends string> = {
  value: T;
  options: readonly SelectOption<T>[];
  onChange: (value: T) => void;
  label: string;
  id?: string | undefined;
  className?: string;
  describedBy?: string | undefined;
};

export function Select<T extends string>({
  value,
  options,
  onChange,
  label,
  id,
  className,
  describedBy,
}: SelectProps<T>) {
  return (
    <RadixSelect.Root value={value} onValueChange={(next) => onChange(next as T)}>
      <RadixSelect.Trigger
        id={id}
        aria-label={label}
        aria-describedby={describedBy}
        className={cx(
          "inline-flex h-8 min-w-0 items-center justify-between gap-2 rounded-md border border-border-2 bg-surface-1 px-2.5",
          "text-13 transition-colors hover:border-content-3 narrow:h-10",
          className,
        )}
      >
        <span className="truncate">
          <RadixSelect.Value placeholder={<span className="text-content-3">Choose…</span>} />
        </span>
        <ChevronDown aria-hidden className="size-3.5 shrink-0 text-content-3" />
      </RadixSelect.Trigger>
      <RadixSelect.Portal>
        <RadixSelect.Content
          position="popper"
          sideOffset={4}
          collisionPadding={8}
          className="z-50 max-h-80 min-w-(--radix-select-trigger-width) animate-overlay overflow-hidden rounded-lg bg-overlay p-1 shadow-overlay"
        >
          <RadixSelect.Viewport>
            {options.map((option) => (
              <RadixSelect.Item
                key={option.value}
                value={option.value}
                className="flex h-8 select-none items-center gap-2 rounded-md px-2 text-13 outline-none data-highlighted:bg-surface-3"
              >
                <RadixSelect.ItemText>{option.label}</RadixSelect.ItemText>
                {option.note && <span className="text-12 text-content-3">{option.note}</span>}
                <RadixSelect.ItemIndicator className="ml-auto">
                  <Check aria-hidden className="size-3.5" />
                </RadixSelect.ItemIndicator>
              </RadixSelect.Item>
            ))}
          </RadixSelect.Viewport>
        </RadixSelect.Content>
      </RadixSelect.Portal>
    </RadixSelect.Root>
  );
}

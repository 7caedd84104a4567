"use client";
import { Popover as RadixPopover } from "radix-ui";
import type { ReactNode } from "react";

type PopoverProps = { trigger: ReactNode; label: string; children: ReactNode };

export function Popover({ trigger, label, children }: PopoverProps) {
  return (
    <RadixPopover.Root>
      <RadixPopover.Trigger asChild>{trigger}</RadixPopover.Trigger>
      <RadixPopover.Portal>
        <RadixPopover.Content
          aria-label={label}
          align="start"
          sideOffset={6}
          collisionPadding={8}
          className="z-30 max-h-(--radix-popover-content-available-height) w-88 max-w-[calc(100vw-16px)] animate-overlay overflow-y-auto rounded-lg bg-overlay shadow-overlay outline-none"
        >
          {children}
        </RadixPopover.Content>
      </RadixPopover.Portal>
    </RadixPopover.Root>
  );
}

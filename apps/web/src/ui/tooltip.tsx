"use client";
import { Tooltip as RadixTooltip } from "radix-ui";
import { type ReactNode, useState } from "react";

export function TooltipProvider({ children }: { children: ReactNode }) {
  return (
    <RadixTooltip.Provider delayDuration={350} skipDelayDuration={150}>
      {children}
    </RadixTooltip.Provider>
  );
}

export type TooltipProps = {
  content: ReactNode;
  children: ReactNode;
  side?: "top" | "right" | "bottom" | "left";
  /** Also opens on a tap: for reasons that a finger must be able to reach. */
  onTap?: boolean;
};

export function Tooltip({ content, children, side = "top", onTap = false }: TooltipProps) {
  const [open, setOpen] = useState(false);
  return (
    <RadixTooltip.Root open={open} onOpenChange={setOpen}>
      <RadixTooltip.Trigger asChild onClick={onTap ? keepOpen(setOpen) : undefined}>
        {children}
      </RadixTooltip.Trigger>
      <RadixTooltip.Portal>
        <RadixTooltip.Content
          side={side}
          sideOffset={6}
          collisionPadding={8}
          className="z-50 max-w-72 animate-fade rounded-md bg-overlay px-2 py-1 text-12 text-content-1 shadow-overlay"
        >
          {content}
        </RadixTooltip.Content>
      </RadixTooltip.Portal>
    </RadixTooltip.Root>
  );
}

function keepOpen(setOpen: (open: boolean) => void) {
  return (event: { preventDefault(): void }) => {
    event.preventDefault();
    setOpen(true);
  };
}

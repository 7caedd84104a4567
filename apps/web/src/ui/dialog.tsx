"use client";
import { X } from "lucide-react";
import { Dialog as RadixDialog } from "radix-ui";
import type { ReactNode } from "react";
import { Button } from "./button.tsx";
import { cx } from "./cx.ts";

type DialogProps = {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description?: ReactNode;
  children?: ReactNode;
  footer?: ReactNode;
  wide?: boolean;
};

/** A centred dialog; on a phone a sheet from the bottom. */
export function Dialog({
  open,
  onOpenChange,
  title,
  description,
  children,
  footer,
  wide = false,
}: DialogProps) {
  return (
    <RadixDialog.Root open={open} onOpenChange={onOpenChange}>
      <RadixDialog.Portal>
        <RadixDialog.Overlay className="fixed inset-0 z-40 animate-fade bg-scrim" />
        <RadixDialog.Content
          {...(description ? {} : { "aria-describedby": undefined })}
          className={cx(
            "fixed z-40 flex max-h-[85dvh] flex-col bg-overlay shadow-overlay outline-none",
            "wide:left-1/2 wide:top-[18dvh] wide:w-full wide:-translate-x-1/2 wide:animate-fade wide:rounded-xl",
            wide ? "wide:max-w-2xl" : "wide:max-w-md",
            "narrow:inset-x-0 narrow:bottom-0 narrow:animate-sheet narrow:rounded-t-2xl narrow:pb-[env(safe-area-inset-bottom)]",
          )}
        >
          <header className="px-5 pt-4 pr-12 pb-3">
            <RadixDialog.Title className="text-14 font-semibold">{title}</RadixDialog.Title>
            {description && (
              <RadixDialog.Description className="mt-1 text-content-2">{description}</RadixDialog.Description>
            )}
          </header>
          {children && <div className="min-h-0 flex-1 overflow-y-auto px-5 pb-4">{children}</div>}
          {footer && (
            <footer className="flex justify-end gap-2 border-t px-5 py-3 narrow:[&>*]:h-10 narrow:[&>*]:flex-1">
              {footer}
            </footer>
          )}
          {/* Last, so that what opens is focused at its first field and not at its way out. */}
          <RadixDialog.Close asChild>
            {/* No tooltip: it would open with the focus, and take the first Escape. */}
            <Button
              variant="ghost"
              size="small"
              aria-label="Close"
              className="absolute! top-3.5 right-3 w-7 px-0! [&_svg]:size-4"
            >
              <X />
            </Button>
          </RadixDialog.Close>
        </RadixDialog.Content>
      </RadixDialog.Portal>
    </RadixDialog.Root>
  );
}

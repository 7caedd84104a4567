"use client";
import { Check } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import type { ReactNode } from "react";
import { cx } from "./cx.ts";
import { Keys } from "./keys.tsx";

const ITEM =
  "flex h-8 select-none items-center gap-2 rounded-md px-2 text-13 outline-none data-highlighted:bg-surface-3 " +
  "narrow:h-10 [&_svg]:size-3.5 [&_svg]:shrink-0";

type MenuProps = {
  trigger: ReactNode;
  children: ReactNode;
  align?: "start" | "end";
  side?: "top" | "bottom";
};

export function Menu({ trigger, children, align = "end", side = "bottom" }: MenuProps) {
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align={align}
          side={side}
          sideOffset={4}
          collisionPadding={8}
          className="z-50 max-h-(--radix-dropdown-menu-content-available-height) min-w-44 animate-overlay overflow-y-auto rounded-lg bg-overlay p-1 shadow-overlay"
        >
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

type MenuItemProps = {
  icon?: ReactNode;
  children: ReactNode;
  onSelect: () => void;
  danger?: boolean;
  keys?: string;
  /** Why it cannot be chosen now; shown in the item's place for its shortcut. */
  disabledReason?: string | null | undefined;
};

export function MenuItem({ icon, children, onSelect, danger = false, keys, disabledReason }: MenuItemProps) {
  return (
    <DropdownMenu.Item
      aria-disabled={disabledReason ? true : undefined}
      onSelect={(event) => (disabledReason ? event.preventDefault() : onSelect())}
      className={cx(
        ITEM,
        danger && !disabledReason && "text-bad",
        disabledReason && "h-auto py-1.5 text-content-3",
      )}
    >
      {icon}
      <span className="flex min-w-0 flex-1 flex-col">
        {children}
        {disabledReason && <span className="max-w-60 text-12 whitespace-normal">{disabledReason}</span>}
      </span>
      {keys && <Keys keys={keys} />}
    </DropdownMenu.Item>
  );
}

type MenuCheckProps = { checked: boolean; onChange: (checked: boolean) => void; children: ReactNode };

/** Stays open: several are chosen in one go. */
export function MenuCheck({ checked, onChange, children }: MenuCheckProps) {
  return (
    <DropdownMenu.CheckboxItem
      checked={checked}
      onCheckedChange={onChange}
      onSelect={(event) => event.preventDefault()}
      className={ITEM}
    >
      <span className="grid size-3.5 place-items-center">
        <DropdownMenu.ItemIndicator>
          <Check aria-hidden />
        </DropdownMenu.ItemIndicator>
      </span>
      {children}
    </DropdownMenu.CheckboxItem>
  );
}

export function MenuSeparator() {
  return <DropdownMenu.Separator className="my-1 border-t" />;
}

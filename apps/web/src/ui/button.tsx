"use client";
import { LoaderCircle } from "lucide-react";
import { Slot } from "radix-ui";
import type { ComponentProps, ReactNode } from "react";
import { cx } from "./cx.ts";
import { Tooltip } from "./tooltip.tsx";

type ButtonVariant = "primary" | "secondary" | "ghost" | "danger";

const VARIANT: Record<ButtonVariant, string> = {
  primary: "bg-accent-fill text-content-inverse hover:bg-accent-fill-hover",
  secondary: "border border-border-2 bg-surface-1 text-content-1 hover:bg-surface-2",
  ghost: "text-content-2 hover:bg-surface-2 hover:text-content-1",
  danger: "border border-border-2 bg-surface-1 text-bad hover:border-bad hover:bg-bad-soft",
};

const DISABLED: Record<ButtonVariant, string> = {
  primary: "cursor-not-allowed bg-surface-3 text-content-3",
  secondary: "cursor-not-allowed border border-border-1 bg-transparent text-content-3",
  ghost: "cursor-not-allowed text-content-3",
  danger: "cursor-not-allowed border border-border-1 bg-transparent text-content-3",
};

export type ButtonProps = ComponentProps<"button"> & {
  variant?: ButtonVariant;
  size?: "small" | "medium";
  /** Why it cannot be pressed now. The button stays focusable and says so. */
  disabledReason?: string | null | undefined;
  busy?: boolean;
  /** Draws the only child (a link) as the button. */
  asChild?: boolean;
};

export function Button({ disabledReason, onClick, ...rest }: ButtonProps) {
  if (!disabledReason) return <PlainButton {...rest} onClick={onClick} />;
  return (
    <Tooltip content={disabledReason} onTap>
      <PlainButton {...rest} off />
    </Tooltip>
  );
}

export type IconButtonProps = Omit<ButtonProps, "asChild"> & { label: string; pressed?: boolean };

/** A square button with an icon; its label is its accessible name and its tooltip. */
export function IconButton({
  label,
  pressed,
  className,
  disabledReason,
  onClick,
  variant = "ghost",
  size = "medium",
  ...rest
}: IconButtonProps) {
  return (
    <Tooltip content={disabledReason ? `${label}: ${disabledReason}` : label} onTap={Boolean(disabledReason)}>
      <PlainButton
        {...rest}
        size={size}
        variant={variant}
        off={Boolean(disabledReason)}
        onClick={disabledReason ? undefined : onClick}
        aria-label={label}
        aria-pressed={pressed}
        className={cx(
          "px-0!",
          size === "small" ? "w-7" : "w-8 [&_svg]:size-4",
          pressed && "bg-accent-soft text-accent!",
          className,
        )}
      />
    </Tooltip>
  );
}

type PlainButtonProps = Omit<ButtonProps, "disabledReason"> & { off?: boolean };

function PlainButton({
  variant = "secondary",
  size = "medium",
  off = false,
  busy = false,
  asChild = false,
  className,
  children,
  onClick,
  type = "button",
  ...rest
}: PlainButtonProps) {
  const Element = asChild ? Slot.Root : "button";
  return (
    <Element
      {...rest}
      {...(asChild ? {} : { type: off || busy ? "button" : type })}
      aria-disabled={off || busy || undefined}
      aria-busy={busy || undefined}
      onClick={busy ? undefined : onClick}
      className={cx(
        "relative inline-flex shrink-0 items-center justify-center gap-1.5 whitespace-nowrap rounded-md font-medium",
        "select-none transition-colors [&_svg]:size-3.5 [&_svg]:shrink-0",
        size === "small" ? "h-7 px-2 text-12" : "h-8 px-3 text-13",
        off ? DISABLED[variant] : VARIANT[variant],
        className,
      )}
    >
      {busy ? <Busy>{children}</Busy> : children}
    </Element>
  );
}

function Busy({ children }: { children: ReactNode }) {
  return (
    <>
      <LoaderCircle aria-hidden className="animate-turn" />
      {children}
    </>
  );
}

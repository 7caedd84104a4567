import type { LucideIcon } from "lucide-react";
import { cx } from "./cx.ts";
import { HUE_SOFT, HUE_TEXT, type Hue } from "./hue.ts";

/** How a state looks and reads. Shape (icon) and word carry it; colour only helps. */
export type StatusLook = {
  label: string;
  icon: LucideIcon;
  hue: Hue;
  /** What it means, in one sentence. */
  sentence: string;
  /** The icon turns: something short goes on. */
  turns?: boolean;
};

type StatusProps = { look: StatusLook; pill?: boolean; iconOnly?: boolean; className?: string };

export function Status({ look, pill = false, iconOnly = false, className }: StatusProps) {
  const Icon = look.icon;
  return (
    <span
      title={look.sentence}
      className={cx(
        "inline-flex items-center gap-1.5 align-middle whitespace-nowrap",
        pill && HUE_TEXT[look.hue],
        pill && cx(HUE_SOFT[look.hue], "h-6 rounded-md px-2 text-12 font-medium"),
        className,
      )}
    >
      <Icon
        aria-hidden
        strokeWidth={2}
        className={cx("size-3.5 shrink-0", HUE_TEXT[look.hue], look.turns && "animate-turn")}
      />
      {iconOnly ? <span className="sr-only">{look.label}</span> : look.label}
    </span>
  );
}

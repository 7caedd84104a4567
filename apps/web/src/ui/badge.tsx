import type { ReactNode } from "react";
import { cx } from "./cx.ts";
import { HUE_SOFT, HUE_TEXT, type Hue } from "./hue.ts";

/** A small label. With a hue it carries a status, without one a plain fact such as a label of a target. */
export function Badge({
  hue,
  children,
  className,
  title,
}: {
  hue?: Hue;
  children: ReactNode;
  className?: string;
  title?: string;
}) {
  return (
    <span
      title={title}
      className={cx(
        "inline-flex h-5 max-w-full items-center gap-1 truncate rounded-sm px-1.5 text-11 font-medium [&_svg]:size-3",
        hue ? cx(HUE_SOFT[hue], HUE_TEXT[hue]) : "border text-content-2",
        className,
      )}
    >
      {children}
    </span>
  );
}

/** Labels of a target or wishes of a job. */
export function Labels({ labels }: { labels: Record<string, string> }) {
  return Object.entries(labels).map(([key, value]) => (
    <Badge key={key} title={`${key}=${value}`}>
      <span className="truncate font-normal">
        {key}
        {value !== "" && <span className="text-content-3">=</span>}
        {value}
      </span>
    </Badge>
  ));
}

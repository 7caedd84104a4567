"use client";
/**
 * The machines, one below the other. Only those in sight are in the page: with 200 machines of 8 GPUs each and samples from all of
 * them, drawing every panel kept the browser busy without end; now a batch of samples draws the few that are seen.
 */
import type { Target } from "@nexus/shared/api/schemas";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, type RefObject, useEffect, useLayoutEffect, useRef, useState } from "react";
import { cx } from "../../ui/cx.ts";

type TargetListProps = {
  targets: readonly Target[];
  scroller: RefObject<HTMLDivElement | null>;
  draw: (target: Target) => ReactNode;
  /** Of one machine, until it is measured. */
  heightPx: number;
  gapPx: number;
  className?: string;
};

const OVERSCAN = 2;

export function TargetList({ targets, scroller, draw, heightPx, gapPx, className }: TargetListProps) {
  const list = useRef<HTMLDivElement>(null);
  const [topPx, setTopPx] = useState(0);
  // What stands above may grow by a line.
  useLayoutEffect(() => {
    const now = list.current?.offsetTop ?? 0;
    if (now !== topPx) setTopPx(now);
  });
  const virtualizer = useVirtualizer({
    count: targets.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => heightPx,
    getItemKey: (index) => targets[index]?.id ?? index,
    overscan: OVERSCAN,
    gap: gapPx,
    scrollMargin: topPx,
  });
  const latest = useRef(targets);
  latest.current = targets;

  // `/#t_…` names a target: in the address that was opened, or chosen in the palette.
  useEffect(() => {
    function show(): void {
      const id = window.location.hash.slice(1);
      const index = latest.current.findIndex((target) => target.id === id);
      if (index >= 0) virtualizer.scrollToIndex(index, { align: "start" });
    }
    show();
    window.addEventListener("hashchange", show);
    return () => window.removeEventListener("hashchange", show);
  }, [virtualizer]);

  return (
    <div
      ref={list}
      className={cx("relative box-content shrink-0", className)}
      style={{ height: virtualizer.getTotalSize() }}
    >
      {virtualizer.getVirtualItems().map((item) => {
        const target = targets[item.index];
        if (!target) return null;
        return (
          <div
            key={item.key}
            ref={virtualizer.measureElement}
            data-index={item.index}
            className="absolute inset-x-0 top-0"
            style={{ transform: `translateY(${item.start - topPx}px)` }}
          >
            {draw(target)}
          </div>
        );
      })}
    </div>
  );
}

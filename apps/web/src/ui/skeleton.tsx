import { cx } from "./cx.ts";

/** Stands where something will be, in its size. Hidden from readers: the view says "loading" once. */
export function Skeleton({ className }: { className?: string }) {
  return <span aria-hidden className={cx("block animate-breathe rounded-sm bg-surface-3", className)} />;
}

const WIDTHS = ["w-3/5", "w-2/5", "w-1/2", "w-1/3", "w-2/3"];

export function SkeletonRows({ rows = 8, label }: { rows?: number; label: string }) {
  return (
    <div role="status" aria-label={label}>
      {Array.from({ length: rows }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the rows have no identity but their place.
        <div key={index} className="flex h-8 items-center gap-4 border-b px-4 last:border-0">
          <Skeleton className="size-3.5 rounded-full" />
          <Skeleton className={cx("h-2.5", WIDTHS[index % WIDTHS.length])} />
        </div>
      ))}
    </div>
  );
}

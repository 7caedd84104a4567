import type { ReactNode, Ref } from "react";
import { cx } from "./cx.ts";

type PageProps = {
  title: ReactNode;
  /** Beside the title: a status, a count. */
  aside?: ReactNode;
  actions?: ReactNode;
  /** Bars between header and content: stale data, filters. */
  bars?: ReactNode;
  children: ReactNode;
  /** The content scrolls by itself (tables, logs). */
  fixed?: boolean;
  /** The element that scrolls otherwise. */
  scroller?: Ref<HTMLDivElement>;
};

/** A view's frame: one header row, then the content, which is all that scrolls. */
export function Page({ title, aside, actions, bars, children, fixed = false, scroller }: PageProps) {
  return (
    <main className="flex min-h-0 min-w-0 flex-1 flex-col">
      <header className="flex h-12 shrink-0 items-center gap-3 border-b px-6 narrow:px-4">
        <h1 className="flex min-w-0 items-center gap-2 truncate text-14 font-semibold">{title}</h1>
        {aside}
        <div className="ml-auto flex shrink-0 items-center gap-2">{actions}</div>
      </header>
      {bars}
      <div
        ref={scroller}
        className={cx(
          "relative flex min-h-0 min-w-0 flex-1 flex-col",
          !fixed && "overflow-y-auto overscroll-contain",
        )}
      >
        {children}
      </div>
    </main>
  );
}

/** A column of a readable width for forms and settings. */
export function Column({ children, wide = false }: { children: ReactNode; wide?: boolean }) {
  return (
    <div className={cx("mx-auto w-full px-6 py-6 narrow:px-4 narrow:py-4", wide ? "max-w-5xl" : "max-w-2xl")}>
      {children}
    </div>
  );
}

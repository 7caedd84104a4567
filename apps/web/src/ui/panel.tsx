import type { ReactNode } from "react";
import { cx } from "./cx.ts";

type PanelProps = {
  title?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  className?: string;
  /** The content brings its own padding. */
  flush?: boolean;
};

export function Panel({ title, actions, children, className, flush = false }: PanelProps) {
  return (
    <section className={cx("min-w-0 rounded-lg border bg-surface-1", className)}>
      {(title || actions) && (
        <header className="flex min-h-10 items-center justify-between gap-3 border-b px-4">
          <h2 className="text-13 font-semibold">{title}</h2>
          {actions}
        </header>
      )}
      <div className={flush ? undefined : "p-4"}>{children}</div>
    </section>
  );
}

/** Facts in two columns: what it is, and its value. */
export function Facts({ children }: { children: ReactNode }) {
  return <dl className="grid grid-cols-[minmax(88px,auto)_1fr] gap-x-4 gap-y-1.5">{children}</dl>;
}

export function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-content-3">{label}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </>
  );
}

"use client";
/** The states that every view has beside its content: empty, error, stale. (Loading is a skeleton in the view's own shape.) */
import { CircleAlert, type LucideIcon, Unplug } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "./button.tsx";
import { cx } from "./cx.ts";
import { Time } from "./time.tsx";

type EmptyStateProps = {
  icon: LucideIcon;
  title: string;
  children?: ReactNode;
  /** The next thing to do. */
  action?: ReactNode;
  className?: string;
};

export function EmptyState({ icon: Icon, title, children, action, className }: EmptyStateProps) {
  return (
    <div className={cx("flex flex-col items-center gap-3 px-6 py-16 text-center", className)}>
      <span className="grid size-10 place-items-center rounded-lg border bg-surface-1 text-content-3">
        <Icon aria-hidden className="size-5" strokeWidth={1.5} />
      </span>
      <div className="max-w-sm">
        <h2 className="text-14 font-semibold">{title}</h2>
        {children && <p className="mt-1 text-content-2">{children}</p>}
      </div>
      {action}
    </div>
  );
}

/** An error as a person needs it: what happened, its code, what to do. */
export type Problem = { code: string; title: string; next: string };

export function ErrorState({ problem, onRetry }: { problem: Problem; onRetry?: () => void }) {
  return (
    <div role="alert" className="flex flex-col items-center gap-3 px-6 py-16 text-center">
      <span className="grid size-10 place-items-center rounded-lg bg-bad-soft text-bad">
        <CircleAlert aria-hidden className="size-5" strokeWidth={1.5} />
      </span>
      <div className="max-w-md">
        <h2 className="text-14 font-semibold">{problem.title}</h2>
        <p className="mt-1 text-content-2">{problem.next}</p>
        <p className="mt-2 font-mono text-12 text-content-3">{problem.code}</p>
      </div>
      {onRetry && <Button onClick={onRetry}>Try again</Button>}
    </div>
  );
}

/** One line of trouble within a form. Its code is left out where the sentence says all that it could. */
export function InlineProblem({ problem, hidesCode = false }: { problem: Problem; hidesCode?: boolean }) {
  return (
    <div role="alert" className="flex items-start gap-2 rounded-md bg-bad-soft px-3 py-2 text-13">
      <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />
      <p className="min-w-0">
        <span className="font-medium">{problem.title}</span>{" "}
        <span className="text-content-2">{problem.next}</span>{" "}
        {!hidesCode && <span className="font-mono text-12 text-content-3">{problem.code}</span>}
      </p>
    </div>
  );
}

/** Live data stopped: says since when, while the content below is dimmed. */
export function StaleBar({ sinceMs, onRetry }: { sinceMs: number; onRetry: () => void }) {
  return (
    <div
      role="status"
      className="flex h-9 shrink-0 items-center gap-2 border-b bg-wait-soft px-4 text-12 text-content-1 narrow:px-3"
    >
      <Unplug aria-hidden className="size-3.5 shrink-0 text-wait" />
      <span className="min-w-0 truncate">
        Connection lost <Time atMs={sinceMs} />. What you see is from then; reconnecting.
      </span>
      <Button variant="ghost" size="small" className="ml-auto" onClick={onRetry}>
        Now
      </Button>
    </div>
  );
}

/** Takes the colour from what is no longer live. It stays usable, and as readable as WCAG AA asks. */
export function Dimmed({
  stale,
  children,
  className,
}: {
  stale: boolean;
  children: ReactNode;
  className?: string;
}) {
  return (
    <div className={cx(className, "transition-[opacity,filter]", stale && "opacity-90 grayscale")}>
      {children}
    </div>
  );
}

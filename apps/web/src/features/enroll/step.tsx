import { Check } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "../../ui/cx.ts";

type StepProps = {
  number: number;
  title: string;
  state: "done" | "now" | "later";
  last?: boolean;
  children?: ReactNode;
};

export function Step({ number, title, state, last = false, children }: StepProps) {
  return (
    <li aria-current={state === "now" ? "step" : undefined} className="relative flex gap-3.5 pb-6">
      {!last && <span aria-hidden className="absolute top-8 bottom-1 left-3 w-px bg-border-2" />}
      <span
        aria-hidden
        className={cx(
          "grid size-6 shrink-0 place-items-center rounded-full text-12 font-semibold",
          state === "done" && "bg-good-soft text-good",
          state === "now" && "bg-accent-fill text-content-inverse",
          state === "later" && "border border-border-2 text-content-3",
        )}
      >
        {state === "done" ? <Check className="size-3.5" strokeWidth={2.5} /> : number}
      </span>
      <div className="min-w-0 flex-1">
        <h2 className={cx("mb-2 leading-6 font-semibold", state === "later" && "font-medium text-content-3")}>
          {title}
        </h2>
        {children}
      </div>
    </li>
  );
}

"use client";
import type { JobSpecInput } from "@nexus/shared/api/schemas";
import { CirclePlay, Hourglass, PenLine, TriangleAlert } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { cx } from "../../ui/cx.ts";
import { plural } from "../../ui/format.ts";
import { Skeleton } from "../../ui/skeleton.tsx";
import { useApiQuery } from "../api/api-context.tsx";
import { problemOf } from "../api/problem.ts";

const TYPING_MS = 350;
const REFETCH_MS = 5000;

/** What would happen if it were submitted now. */
export function Preview({ spec, missing }: { spec: JobSpecInput | null; missing: string | null }) {
  const settled = useSettled(spec, TYPING_MS);
  const { data, error, isPending } = useApiQuery("jobs.preview", settled ?? { command: ["true"] }, {
    enabled: settled !== null,
    refetchMs: REFETCH_MS,
    keepPrevious: true,
  });
  if (!spec)
    return (
      <Box
        icon={<PenLine />}
        title={missing ?? "Say what should run"}
        text="Then you see here where and when it would."
      />
    );
  if (error) {
    const problem = problemOf(error);
    return <Box icon={<TriangleAlert />} hue="text-bad" title={problem.title} text={problem.next} />;
  }
  if (isPending || !data) return <Skeleton className="h-20 rounded-lg" />;
  const gpus = data.gpus === 0 ? "without a GPU" : `on ${plural(data.gpus, "GPU")}`;
  if (!data.canEverRun)
    return (
      <Box
        icon={<TriangleAlert />}
        hue="text-bad"
        title="No target can run it"
        text={`${data.sentence}. It would wait until the fleet or the job changes.`}
      />
    );
  return data.startsNow ? (
    <Box
      icon={<CirclePlay />}
      hue="text-active"
      title={`Runs now${data.target ? ` on ${data.target}` : ""}, ${gpus}`}
      text={data.sentence}
    />
  ) : (
    <Box icon={<Hourglass />} hue="text-wait" title={`Waits, ${gpus}`} text={data.sentence} />
  );
}

type BoxProps = { icon: ReactNode; title: string; text: string; hue?: string };

function Box({ icon, title, text, hue = "text-content-3" }: BoxProps) {
  return (
    <div role="status" className="flex min-h-20 gap-3 rounded-lg border bg-surface-1 p-3.5">
      <span className={cx("mt-0.5 [&_svg]:size-4", hue)}>{icon}</span>
      <div className="min-w-0">
        <p className="font-semibold break-words">{title}</p>
        <p className="text-content-2 first-letter:uppercase">{text}</p>
      </div>
    </div>
  );
}

/** The value once it has not changed for a while. */
function useSettled<T>(value: T, quietMs: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), quietMs);
    return () => clearTimeout(timer);
  }, [value, quietMs]);
  return settled;
}

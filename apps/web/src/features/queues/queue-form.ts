/** The queue dialog's fields as text, and the queue they describe. Pure. */
import type { InputOf } from "@nexus/shared/api/contract";
import { labelsSchema, type Queue } from "@nexus/shared/api/schemas";
import { formatLabels, parseLabels } from "../../ui/labels-text.ts";

export const QUEUE_LIMITS = ["runningMax", "gpusMax", "userRunningMax", "userGpusMax"] as const;
export type QueueLimitField = (typeof QUEUE_LIMITS)[number];

export type QueueForm = Record<"name" | "priority" | "labels" | "targets" | QueueLimitField, string> & {
  paused: boolean;
};
type QueueFormErrors = Partial<Record<"priority" | "labels" | QueueLimitField, string>>;

/** So that it can be stored; nobody needs a thousand levels. */
const PRIORITY_MAX = 1000;
const LIMIT_MAX = 1_000_000;

export function readQueueForm(form: QueueForm): {
  input: InputOf<"queues.put"> | null;
  errors: QueueFormErrors;
} {
  const errors: QueueFormErrors = {};
  const priority = wholeOf(form.priority.trim() === "" ? "0" : form.priority);
  if (priority === null) errors.priority = "A whole number.";
  else if (Math.abs(priority) > PRIORITY_MAX) errors.priority = `From -${PRIORITY_MAX} to ${PRIORITY_MAX}.`;
  const limits = { runningMax: null, gpusMax: null, userRunningMax: null, userGpusMax: null } as Record<
    QueueLimitField,
    number | null
  >;
  for (const field of QUEUE_LIMITS) {
    if (form[field].trim() === "") continue;
    const limit = wholeOf(form[field]);
    if (limit === null || limit < 0 || limit > LIMIT_MAX) errors[field] = "A whole number, or nothing.";
    else limits[field] = limit;
  }
  const labels = labelsSchema.safeParse(parseLabels(form.labels));
  if (!labels.success) errors.labels = labels.error.issues[0]?.message ?? "Not labels.";
  if (priority === null || !labels.success || Object.keys(errors).length > 0) return { input: null, errors };
  const targets = form.targets.split(/[\s,]+/).filter(Boolean);
  const { name, paused } = form;
  return { input: { name, priority, ...limits, paused, selector: { labels: labels.data, targets } }, errors };
}

export function queueFormOf(queue: Queue | null): QueueForm {
  const text = (limit: number | null | undefined) =>
    limit === null || limit === undefined ? "" : String(limit);
  return {
    name: queue?.name ?? "",
    priority: String(queue?.priority ?? 0),
    runningMax: text(queue?.runningMax),
    gpusMax: text(queue?.gpusMax),
    userRunningMax: text(queue?.userRunningMax),
    userGpusMax: text(queue?.userGpusMax),
    labels: formatLabels(queue?.selector.labels ?? {}),
    targets: (queue?.selector.targets ?? []).join(" "),
    paused: queue?.paused ?? false,
  };
}

function wholeOf(text: string): number | null {
  return /^-?\d{1,9}$/.test(text.trim()) ? Number(text) : null;
}

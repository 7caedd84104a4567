/** The queue dialog's fields as text, and the queue they describe. Pure. */
import type { InputOf } from "@nexus/shared/api/contract";

export type QueueForm = { name: string; priority: string; runningMax: string; paused: boolean };
type QueueFormErrors = Partial<Record<"priority" | "runningMax", string>>;

/** So that it can be stored; nobody needs a thousand levels. */
const PRIORITY_MAX = 1000;
const RUNNING_MAX = 1_000_000;

export function readQueueForm(form: QueueForm): {
  input: InputOf<"queues.put"> | null;
  errors: QueueFormErrors;
} {
  const errors: QueueFormErrors = {};
  const priority = wholeOf(form.priority.trim() === "" ? "0" : form.priority);
  if (priority === null) errors.priority = "A whole number.";
  else if (Math.abs(priority) > PRIORITY_MAX) errors.priority = `From -${PRIORITY_MAX} to ${PRIORITY_MAX}.`;
  const runningMax = form.runningMax.trim() === "" ? undefined : wholeOf(form.runningMax);
  if (runningMax === null || (runningMax !== undefined && (runningMax < 0 || runningMax > RUNNING_MAX))) {
    errors.runningMax = "A whole number, or nothing.";
  }
  if (priority === null || runningMax === null || Object.keys(errors).length > 0)
    return { input: null, errors };
  const { name, paused } = form;
  return { input: { name, priority, runningMax: runningMax ?? null, paused }, errors };
}

function wholeOf(text: string): number | null {
  return /^-?\d{1,9}$/.test(text.trim()) ? Number(text) : null;
}

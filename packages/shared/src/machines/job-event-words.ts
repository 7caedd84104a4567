import type { JobEvent } from "./job.ts";

const WORDS: Record<JobEvent | "submitted", string> = {
  submitted: "added",
  place: "placed",
  unplace: "taken back into the line",
  send: "sent to its node",
  start: "started",
  refuse: "could not be started",
  decline: "not taken by its node, back in the line",
  silence: "not heard of",
  return: "heard of again",
  succeed: "ended well",
  fail: "ended with a failure",
  cancel: "cancelled",
  time_out: "ended: out of time",
  lose: "given up",
  requeue: "put back into the line",
};

/** What happened to a job, in a few words; who did it stands beside. A `noted` event is its message alone. */
export function jobEventWords({ type, message }: { type: string; message: string }): string {
  const words = Object.hasOwn(WORDS, type) ? WORDS[type as JobEvent] : type === "noted" ? "" : type;
  if (words === "" || message === "") return words || message;
  return type === "place" ? `${words} ${message}` : `${words}: ${message}`;
}

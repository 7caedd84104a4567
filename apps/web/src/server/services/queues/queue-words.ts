import { selectorText } from "@nexus/shared/scheduler/selector-text";

type QueueFacts = {
  name: string;
  priority: number;
  paused: boolean;
  runningMax: number | null;
  gpusMax: number | null;
  userRunningMax: number | null;
  userGpusMax: number | null;
  selector: { labels: Record<string, string>; targets: string[] };
};

/** What a queue is, for the audit. */
export function queueWords(queue: QueueFacts): string {
  const { name, priority, paused, runningMax, gpusMax, userRunningMax, userGpusMax } = queue;
  const limits = [
    countOf(runningMax, "job", "at once"),
    countOf(gpusMax, "GPU", "at once"),
    countOf(userRunningMax, "job", "a person"),
    countOf(userGpusMax, "GPU", "a person"),
  ].flat();
  const only = selectorText(queue.selector);
  return `Queue ${name}: priority ${priority}, ${paused ? "paused" : "open"}, ${
    limits.length === 0 ? "no limit" : `at most ${limits.join(", ")}`
  }${only === "" ? "" : `, only on ${only}`}.`;
}

function countOf(limit: number | null, noun: string, when: string): string[] {
  return limit === null ? [] : [`${limit} ${noun}${limit === 1 ? "" : "s"} ${when}`];
}

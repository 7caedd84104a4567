/** Guards of the product, each with what the source says without it. A simulator that misses one of them is blind there. */
import type { Patch } from "./bundle.ts";

export type Mutant = Patch & {
  name: string;
  /** Where seeds begin that meet what it guards against, where that is rare. */
  from?: number;
};

const SERVICES = "apps/web/src/server/services";
const AGENT = "apps/agent/src";

export const MUTANTS: Mutant[] = [
  {
    name: "journal-not-synced",
    file: `${AGENT}/exec/journal.ts`,
    find: "if (mustSync) await file.datasync();",
    replace: "",
  },
  {
    name: "known-start-judged-anew",
    file: `${AGENT}/core/attempts.ts`,
    find: 'if (known) return { kind: "known", known };',
    replace: "",
  },
  {
    name: "record-of-another-taken",
    file: `${AGENT}/exec/attempt-files.ts`,
    find: 'fd = openSync(files.record, "wx", 0o600);',
    replace: 'fd = openSync(files.record, "w", 0o600);',
  },
  {
    name: "end-told-before-processes-are-gone",
    file: `${AGENT}/exec/attempt-runs.ts`,
    find: "const isHurried = isAlone && !holdsGpus && stop === null;",
    replace: "const isHurried = isAlone || holdsGpus || stop === null;",
  },
  {
    name: "recorded-start-never-resumed",
    file: `${AGENT}/agent.ts`,
    find: 'if (want === "adopt") supervisor.resume([attempt]);',
    replace: 'if (want === "adopt") return;',
  },
  {
    name: "other-boot-ignored",
    file: `${AGENT}/core/attempts.ts`,
    find: 'if (record.end?.kind === "lost" || !facts.sameBoot) return "vanished";',
    replace: 'if (record.end?.kind === "lost") return "vanished";',
  },
  {
    name: "forget-before-log-is-whole",
    file: `${SERVICES}/agents/agent-port.ts`,
    find: "const closed = known.filter((exit) => mine(node, exit) === null).map((exit) => exit.attempt);",
    replace: "const closed = known.map((exit) => exit.attempt);",
  },
  {
    name: "log-not-synced-before-forget",
    file: `${SERVICES}/agents/agent-log.ts`,
    find: "      await logs.sync(attempt);\n",
    replace: "",
  },
  {
    name: "folder-of-log-not-synced",
    file: "apps/web/src/server/logs/attempt-log.ts",
    find: "if (!durable.has(folder)) unsynced.add(dirname(folder));",
    replace: "durable.has(folder);",
  },
  {
    name: "sent-start-taken-back",
    file: `${SERVICES}/fleet/fleet-keeper.ts`,
    find: 'if (job.attempt?.maybeSent || job.state !== "assigned") continue;',
    replace: 'if (job.state !== "assigned") continue;',
  },
  {
    name: "start-before-us-thought-unsent",
    file: `${SERVICES}/scheduling/world.ts`,
    find: "maybeSent: known?.maybeSent ?? true,",
    replace: "maybeSent: known?.maybeSent ?? false,",
  },
  {
    name: "plan-does-not-see-what-runs",
    file: `${SERVICES}/scheduling/fleet-snapshot.ts`,
    find: "active: active.flatMap((job) => job.activeView ?? []),",
    replace: "active: [],",
  },
  {
    name: "lost-log-awaited",
    file: `${SERVICES}/agents/shorten-log.ts`,
    find: "if (logBytes < attempt.ended.logBytes) attempt.ended = { logBytes };",
    replace: "void logBytes;",
  },
  {
    name: "given-up-without-a-rule",
    file: `${SERVICES}/fleet/fleet-keeper.ts`,
    find: "const { attempt, retry, retriesUsed, cancel } = job;",
    replace:
      "const { attempt, retriesUsed, cancel } = job; const retry = job.retry ?? { attempts: 9, lostAfterMs: 10_000 };",
  },
  {
    name: "copy-begins-what-was-sent",
    file: `${SERVICES}/agents/estrange.ts`,
    find: "if (attempts.length === 0) return;",
    replace: "if (attempts.length >= 0) return;",
  },
  {
    name: "start-after-stop",
    file: `${AGENT}/agent.ts`,
    find: "const asked = jobs.filter(({ attempt }) => neverRan.get(attempt) === null);",
    replace: "const asked = jobs;",
  },
  {
    name: "generation-offered-twice",
    from: 4200,
    file: "apps/web/src/server/core/node-generation.ts",
    find: "Math.max(said, known.offered) + 1",
    replace: "said + 1",
  },
  {
    name: "newcomer-known-before-what-it-means",
    from: 7290,
    file: `${SERVICES}/agents/agent-port.ts`,
    find: "const isTold = before",
    replace: "if (target && last) await lane.run(() => learn(target, last)); const isTold = before",
  },
];

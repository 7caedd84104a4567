/** Guards of the product, each with what the source says without it. A simulator that does not miss one of them is blind. */
import type { Patch } from "./bundle.ts";

export type Mutant = Patch & { name: string };

const SERVER = "apps/web/src/server";
const AGENT = "apps/agent/src";

export const MUTANTS: Mutant[] = [
  {
    name: "fence-not-checked",
    file: `${AGENT}/core/attempts.ts`,
    find: "if (fence !== undefined && start.fence <= fence)",
    replace: "if (false && fence !== undefined && start.fence <= fence)",
  },
  {
    name: "known-start-runs-again",
    file: `${AGENT}/core/attempts.ts`,
    find: 'if (known) return { kind: "known", known };',
    replace: "",
  },
  {
    name: "start-before-journal-is-synced",
    file: `${AGENT}/exec/journal.ts`,
    find: "if (mustSync) await file.datasync();",
    replace: "",
  },
  {
    name: "start-sent-before-commit",
    file: `${SERVER}/services/scheduling/fleet-snapshot.ts`,
    find: "active: active.flatMap((job) => job.activeView ?? []),",
    replace: "active: [],",
  },
];

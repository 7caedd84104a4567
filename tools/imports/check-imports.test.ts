import { expect, test } from "vitest";
import type { Source } from "../code/source.ts";
import { OWNED_PACKAGES, ZONES } from "../import-rules.ts";
import { checkImports } from "./check-imports.ts";

const CORE = "apps/web/src/server/core";
const GATEWAY = "apps/web/src/server/gateway";

/** A small tree of files under the real rules. */
function check(tree: Record<string, string>): string[] {
  const sources: Source[] = Object.entries({ ...PACKAGES, ...tree }).map(([path, text]) => ({ path, text }));
  return checkImports(sources, { zones: ZONES, ownedPackages: OWNED_PACKAGES }).map(
    ({ path, line, rule, message }) => `${path}:${line} ${rule} ${message}`,
  );
}

const PACKAGES = {
  "packages/shared/package.json": `{ "name": "@nexus/shared", "exports": { "./*": "./src/*.ts" } }`,
  "packages/shared/src/protocol/frame.ts": "export const frame = 1; export type Frame = number;",
};

test("[C1] core may import shared code and itself", () => {
  expect(
    check({
      [`${CORE}/plan.ts`]: `import { frame } from "@nexus/shared/protocol/frame";\nimport { rank } from "./rank.ts";`,
      [`${CORE}/rank.ts`]: "export const rank = 1;",
    }),
  ).toEqual([]);
});

test("[C1] a wrong import is named with its line, its rule and what to do instead", () => {
  const [finding, ...rest] = check({
    [`${CORE}/plan.ts`]: `// why\nimport { send } from "../gateway/hub.ts";`,
    [`${GATEWAY}/hub.ts`]: "export const send = 1;",
  });
  expect(rest).toEqual([]);
  expect(finding).toContain(`${CORE}/plan.ts:2 imports/zone web core may not import web gateway`);
  expect(finding).toContain("let a service read the world and pass it in");
});

test("[C1] types may cross where the table says so, values may not", () => {
  const tree = (kind: string) => ({
    "apps/web/src/features/jobs/job-table.tsx": `import ${kind} { Router } from "../../server/api/root.ts";`,
    "apps/web/src/server/api/root.ts": "export type Router = 1;",
  });
  expect(check(tree("type"))).toEqual([]);
  expect(check(tree("")).join()).toContain("its types are allowed: use `import type`");
});

test("[C1] features do not know each other", () => {
  const findings = check({
    "apps/web/src/features/jobs/job-table.tsx": `import { Cell } from "../fleet/gpu-cell.tsx";`,
    "apps/web/src/features/fleet/gpu-cell.tsx": "export const Cell = 1;",
  });
  expect(findings.join()).toContain("imports/apart jobs may not import fleet");
});

test("[C1] re-exports, dynamic imports, import types and require are imports", () => {
  const hub = `${GATEWAY}/hub.ts`;
  for (const statement of [
    `export * from "../gateway/hub.ts";`,
    `export { send } from "../gateway/hub.ts";`,
    `await import("../gateway/hub.ts");`,
    `type Hub = import("../gateway/hub.ts").Hub;`,
    `require("../gateway/hub.ts");`,
    `import "../gateway/hub.ts";`,
  ]) {
    const findings = check({ [`${CORE}/plan.ts`]: statement, [hub]: "" });
    expect(findings.join(), statement).toContain("may not import web gateway");
  }
});

test("[C1] apps reach shared code by the package's name, never by a path", () => {
  const findings = check({
    "apps/cli/src/main.ts": `import { frame } from "../../../packages/shared/src/protocol/frame.ts";`,
  });
  expect(findings.join()).toContain("imports/subpath");
});

test("[C2] a circle is shown once, whole", () => {
  const findings = check({
    [`${CORE}/a.ts`]: `import "./b.ts";`,
    [`${CORE}/b.ts`]: `\nimport "./c.ts";`,
    [`${CORE}/c.ts`]: `import type { A } from "./a.ts";`,
    [`${CORE}/alone.ts`]: `import "./a.ts";`,
  });
  expect(findings).toEqual([
    `${CORE}/a.ts:1 imports/circle a circle: ${CORE}/a.ts → ${CORE}/b.ts → ${CORE}/c.ts → ${CORE}/a.ts; move what both need into a third file`,
  ]);
});

test("[C2] two knots are two findings, and a file that imports itself is one", () => {
  const findings = check({
    [`${CORE}/a.ts`]: `import "./b.ts";`,
    [`${CORE}/b.ts`]: `import("./a.ts");`,
    [`${CORE}/self.ts`]: `import "./self.ts";`,
  });
  expect(findings.map((one) => one.split(";")[0])).toEqual([
    `${CORE}/a.ts:1 imports/circle a circle: ${CORE}/a.ts → ${CORE}/b.ts → ${CORE}/a.ts`,
    `${CORE}/self.ts:1 imports/circle a circle: ${CORE}/self.ts → ${CORE}/self.ts`,
  ]);
});

test.each([
  ["Date.now()", "Date.now"],
  [`Date["now"]()`, "Date.now"],
  ["new Date()", "new Date()"],
  ["Date()", "Date()"],
  ["const { now } = Date", "Date"],
  ["Math.random()", "Math.random"],
  ["const roll = Math", "Math"],
  ["process.env.HOME", "process"],
  ["globalThis.Date.now()", "globalThis"],
  ["setTimeout(() => {}, 1)", "setTimeout"],
  ["const world = { process }", "process"],
  ["const x = process as unknown", "process"],
  ["import.meta.url", "import.meta"],
  ["performance.now()", "performance"],
])("[C3] `%s` in a core is refused", (statement, what) => {
  const findings = check({ [`${CORE}/plan.ts`]: `\n${statement};` });
  expect(findings).toHaveLength(1);
  expect(findings[0]).toContain(`${CORE}/plan.ts:2 imports/pure ${what} in web core, which is pure`);
});

test.each([
  "// Date.now() and process.env",
  `const text = "Date.now() Math.random() process";`,
  "const at = new Date(nowMs); const top = Math.max(1, 2);",
  "const x = { process: 1, now: 2 }; x.process;",
  "function stop(process: { pid: number }) { return process.pid; }",
  "type World = { process: string; fetch(): void }; type Clock = typeof Date;",
  "const ok = at instanceof Date;",
])("[C3] `%s` in a core is fine", (text) => {
  expect(check({ [`${CORE}/plan.ts`]: text })).toEqual([]);
});

test.each(["node:fs", "drizzle-orm", "ws", "postgres"])("[C3] a core may not import %s", (specifier) => {
  expect(check({ "apps/agent/src/core/session.ts": `import "${specifier}";` }).join()).toContain(
    `imports/pure "${specifier}" in agent core, which is pure`,
  );
});

test("[C3] the test of a core may use what it likes", () => {
  expect(
    check({ [`${CORE}/plan.test.ts`]: `import fc from "fast-check"; import "node:fs"; Date.now();` }),
  ).toEqual([]);
});

test("[C4] a second owner of ws is refused and told whom to ask", () => {
  const findings = check({
    [`${GATEWAY}/upgrade.ts`]: `import { WebSocketServer } from "ws";`,
    "apps/web/src/server/api/live.ts": `import type { WebSocket } from "ws";`,
  });
  expect(findings).toHaveLength(1);
  expect(findings[0]).toContain("apps/web/src/server/api/live.ts:1 imports/owner");
  expect(findings[0]).toContain("go through their ports");
});

test("[C4] a deep import of an owned package counts", () => {
  expect(check({ "apps/cli/src/main.ts": `import x from "drizzle-orm/pg-core";` }).join()).toContain(
    "imports/owner",
  );
});

test("[C5] product code cannot import test code", () => {
  const findings = check({
    [`${GATEWAY}/hub.ts`]: `import { aJob } from "@nexus/shared/testing/a-job";`,
    "packages/shared/src/testing/a-job.ts": "",
  });
  expect(findings.join()).toContain("imports/test-code");
});

test("[C5] a test of the agent cannot import the control plane, a whole-system test can", () => {
  const statement = `import "../../../web/src/server/gateway/hub.ts";`;
  const findings = check({
    "apps/agent/src/link/link.test.ts": `${statement.replace("../../../", "../../../")}`,
    "tests/chaos/kill.test.ts": `import "../../apps/web/src/server/gateway/hub.ts";`,
    [`${GATEWAY}/hub.ts`]: "",
  });
  expect(findings).toHaveLength(1);
  expect(findings[0]).toContain("a test of apps/agent may not import apps/web");
});

test("[C6] imports that lead nowhere are refused", () => {
  for (const specifier of ["./rank", "./gone.ts", "@nexus/shared", "@nexus/shared/nothing", "#map"]) {
    const findings = check({ [`${CORE}/plan.ts`]: `import "${specifier}";`, [`${CORE}/rank.ts`]: "" });
    expect(findings.join(), specifier).toContain(`imports/missing "${specifier}" leads nowhere`);
  }
});

test("[C6] styles, pictures and build output carry no rules", () => {
  expect(
    check({
      "apps/web/src/app/layout.tsx": `import "./tokens.css";`,
      "apps/agent/bin/nexus-agent.mjs": `import "../dist/main.mjs";`,
    }),
  ).toEqual([]);
});

test("[C6] a file in no zone and a file that does not parse are refused", () => {
  expect(check({ "scratch/try.ts": "" }).join()).toContain("in no zone");
  expect(check({ [`${CORE}/plan.ts`]: "\n\nconst = 1" }).join()).toContain("plan.ts:3 imports/syntax");
});

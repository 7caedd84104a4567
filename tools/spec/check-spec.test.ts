import { expect, test } from "vitest";
import { checkSpec } from "./check-spec.ts";

const SPEC = "# Jobs\n\n- **J1** A job runs once.\n- **J2** A job says why it waits.\n";
const BOTH = `test("[J1] once", f);\nit("[J2] why", f);`;

function check(tree: Record<string, string>): string[] {
  const sources = Object.entries({ "docs/spec/jobs.md": SPEC, ...tree }).map(([path, text]) => ({
    path,
    text,
  }));
  return checkSpec(sources).map(({ path, line, rule, message }) => `${path}:${line} ${rule} ${message}`);
}

test("[C7] rules and tests that know each other pass", () => {
  expect(check({ "apps/web/a.test.ts": BOTH })).toEqual([]);
});

test("[C7] a rule without a test is named with its line", () => {
  expect(check({ "apps/web/a.test.ts": `test("[J1] once", f);` })).toEqual([
    "docs/spec/jobs.md:4 spec/unproven J2 has no test that runs: begin the title of the test that proves it with [J2]",
  ]);
});

test("[C7] a test with an unknown rule is named with its line", () => {
  expect(check({ "apps/web/a.test.ts": `${BOTH}\ntest("[J9] what", f);` })).toEqual([
    "apps/web/a.test.ts:3 spec/unknown the test claims J9, which no page of docs/spec has: write the rule, or correct the number",
  ]);
});

test("[C7] a number given twice fails, also across pages", () => {
  const findings = check({
    "docs/spec/more.md": "\n- **J2** Another.",
    "apps/web/a.test.ts": BOTH,
  });
  expect(findings).toEqual([
    "docs/spec/more.md:2 spec/double J2 is taken by docs/spec/jobs.md:4: give this rule the next free number",
  ]);
});

test.each([
  `test("[J1][J2] both", f)`,
  `test("[J1] [J2] both", f)`,
  `test.each([1])("[J1][J2] %s", f)`,
  `test.each\`a\${1}\`("[J1][J2] table", f)`,
  `it.concurrent(\`[J1][J2] \${name}\`, f)`,
  `describe("[J1][J2] both", () => {})`,
  `test.skipIf(windows)("[J1][J2] both", f)`,
])("[C7] `%s` proves both rules", (text) => {
  expect(check({ "apps/web/a.test.ts": text })).toEqual([]);
});

test.each([
  `test.skip("[J1][J2] both", f)`,
  `test.todo("[J1][J2] both")`,
  `describe.skip("later", () => { test("[J1][J2] both", f) })`,
  `// test("[J1][J2] both", f)`,
  `test("both [J1][J2]", f)`,
  `run("[J1][J2] both", f)`,
])("[C7] `%s` proves nothing", (text) => {
  expect(check({ "apps/web/a.test.ts": text })).toHaveLength(2);
});

test("[C7] a contract suite in an ordinary file counts", () => {
  expect(check({ "apps/web/log-store-contract.ts": `import { test } from "vitest";\n${BOTH}` })).toEqual([]);
});

test("[C7] a test without a rule is fine, and so is a page without rules", () => {
  expect(
    check({ "apps/web/a.test.ts": `${BOTH}\ntest("plain", f);`, "docs/spec/README.md": "# How to read" }),
  ).toEqual([]);
});

test.each(["* **J3** Star.", "- J3 Not bold.", "- **J3**", "  - **J3** Indented."])(
  "[C7] `%s` would be overlooked as a rule, and says so",
  (line) => {
    expect(check({ "docs/spec/more.md": line, "apps/web/a.test.ts": BOTH })).toEqual([
      "docs/spec/more.md:1 spec/form meant as a rule, but not written as `- **P3** sentence.`",
    ]);
  },
);

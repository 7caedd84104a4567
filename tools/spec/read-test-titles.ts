import type { CallExpression, Expression, Node } from "oxc-parser";
import { type Code, walk } from "../code/parse-code.ts";

/** The title of one `test`, `it` or `describe`. `runs` is false when the file itself switches the test off. */
export type TestTitle = { title: string; line: number; runs: boolean };

/** `test("…")`, `test.each(rows)("…")`, `it.concurrent.only("…")`: whatever hangs on a test function and takes a title. */
export function readTestTitles(code: Code): TestTitle[] {
  const titles: TestTitle[] = [];
  walk(code.program, (node, parents) => {
    if (node.type !== "CallExpression") return;
    const call = testCall(node);
    const title = call && textOf(node.arguments[0]);
    if (title === undefined || call === undefined) return;
    const runs = !call.switches.some(isOff) && !parents.some(isOffSuite);
    titles.push({ title, line: code.lineAt(node.start), runs });
  });
  return titles;
}

/** The rules that a title begins with: `[P3][P4] a frame …` → P3, P4 */
export function rulesOf(title: string): string[] {
  const [head = ""] = /^(\[[A-Z]\d+\]\s*)*/.exec(title) ?? [];
  return [...head.matchAll(/[A-Z]\d+/g)].map(([id]) => id);
}

/** What a call to a test function switches on or off: `test.only.each(…)(…)` → only, each. */
export function testCall(call: CallExpression): { switches: string[] } | undefined {
  const switches: string[] = [];
  let at: Expression = call.callee;
  for (;;) {
    if (at.type === "Identifier") {
      return ["test", "it", "describe"].includes(at.name) ? { switches } : undefined;
    }
    if (at.type === "CallExpression") at = at.callee;
    else if (at.type === "TaggedTemplateExpression") at = at.tag;
    else if (at.type === "MemberExpression" && !at.computed && at.property.type === "Identifier") {
      switches.unshift(at.property.name);
      at = at.object;
    } else return undefined;
  }
}

function isOffSuite(node: Node): boolean {
  return node.type === "CallExpression" && (testCall(node)?.switches.some(isOff) ?? false);
}

function isOff(name: string): boolean {
  return ["skip", "todo", "fixme"].includes(name);
}

/** A template's text stands with `…` for its holes: the rules at its beginning are what counts. */
function textOf(node: Node | undefined): string | undefined {
  if (node?.type === "Literal") return typeof node.value === "string" ? node.value : undefined;
  if (node?.type === "TemplateLiteral") return node.quasis.map((part) => part.value.raw).join("…");
  return undefined;
}

import type { ArrowFunctionExpression, CallExpression, Function as FunctionNode, Node } from "oxc-parser";
import type { Finding } from "../code/finding.ts";
import { type Code, walk } from "../code/parse-code.ts";
import { testCall } from "../spec/read-test-titles.ts";
import { isNoteForLater, note } from "./judge-text.ts";

/** What the syntax of a file shows: notes for later, focused or switched-off tests, sleeping tests, casts through unknown. */
export function judgeCode(code: Code): Finding[] {
  const findings: Finding[] = [];
  for (const comment of code.comments) {
    if (isNoteForLater(comment.value)) findings.push(note(code.path, code.lineAt(comment.start)));
  }
  const asleep = /\.(test|e2e)\.ts$|^tests\//.test(code.path);
  walk(code.program, (node, parents) => {
    const verdict = judgeTestCall(node, parents.at(-1)) ?? (asleep ? judgeSleep(node) : judgeCast(node));
    if (verdict) findings.push({ path: code.path, line: code.lineAt(node.start), ...verdict });
  });
  return findings;
}

type Verdict = Pick<Finding, "rule" | "message"> | undefined;

const SLEEP: Verdict = {
  rule: "tidy/sleep",
  message: "a test that sleeps: wait for the event, or poll for the fact with a deadline",
};

function judgeTestCall(node: Node, parent: Node | undefined): Verdict {
  if (node.type !== "CallExpression") return undefined;
  // Of `test.skipIf(x)("title", …)` the outer call is judged, once.
  if (parent?.type === "CallExpression" && parent.callee === node) return undefined;
  const switches = testCall(node)?.switches ?? [];
  if (switches.includes("only")) {
    return { rule: "tidy/only", message: "a focused test hides all others: take `.only` away" };
  }
  const off = switches.find((name) => ["skip", "skipIf", "runIf", "todo", "fixme"].includes(name));
  if (off === undefined || givesReason(node)) return undefined;
  return {
    rule: "tidy/skip",
    message: `\`.${off}\` without a reason: make the test run, or say why on the line above with tidy-allow`,
  };
}

/** Playwright's `test.skip(condition, "why it cannot run here")`. */
function givesReason(call: CallExpression): boolean {
  const [condition, reason] = call.arguments;
  return condition?.type !== "Literal" && reason?.type === "Literal" && String(reason.value).includes(" ");
}

function judgeSleep(node: Node): Verdict {
  switch (node.type) {
    case "ImportSpecifier":
      return undefined;
    case "ImportDeclaration":
      return /^(node:)?timers\/promises$/.test(node.source.value) ? SLEEP : undefined;
    case "MemberExpression":
      return node.property.type === "Identifier" && node.property.name === "waitForTimeout"
        ? SLEEP
        : undefined;
    case "NewExpression": {
      const [executor] = node.arguments;
      const isPromise = node.callee.type === "Identifier" && node.callee.name === "Promise";
      return isPromise && isFunction(executor) && resolvesByTimer(executor) ? SLEEP : undefined;
    }
    default:
      return undefined;
  }
}

type Callback = FunctionNode | ArrowFunctionExpression;

function isFunction(node: Node | undefined): node is Callback {
  return node?.type === "ArrowFunctionExpression" || node?.type === "FunctionExpression";
}

/** A deadline rejects, and is fine. A sleep resolves: `setTimeout(resolve, …)` or `setTimeout(() => resolve(), …)`. */
function resolvesByTimer(executor: Callback): boolean {
  const [resolve] = executor.params;
  if (resolve?.type !== "Identifier" || executor.body === null) return false;
  let sleeps = false;
  walk(executor.body, (node) => {
    if (node.type !== "CallExpression" || node.callee.type !== "Identifier") return;
    if (node.callee.name !== "setTimeout") return;
    const [callback] = node.arguments;
    if (callback?.type === "Identifier") sleeps ||= callback.name === resolve.name;
    else if (isFunction(callback)) sleeps ||= onlyCalls(callback, resolve.name);
  });
  return sleeps;
}

function onlyCalls(callback: Callback, name: string): boolean {
  const { body } = callback;
  const [only, ...more] = body?.type === "BlockStatement" ? body.body : [body];
  const call = only?.type === "ExpressionStatement" ? only.expression : only;
  if (more.length > 0 || call?.type !== "CallExpression") return false;
  return call.callee.type === "Identifier" && call.callee.name === name;
}

function judgeCast(node: Node): Verdict {
  if (node.type !== "TSAsExpression" || node.expression.type !== "TSAsExpression") return undefined;
  if (node.expression.typeAnnotation.type !== "TSUnknownKeyword") return undefined;
  return {
    rule: "tidy/cast",
    message: "a cast through unknown: parse the value, or mend the type it comes from",
  };
}

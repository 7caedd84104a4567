import type { Node } from "oxc-parser";
import { type Code, walk } from "../code/parse-code.ts";

/** A use of the world where only arguments may be read: `Date.now()`, `process.env`, a timer. */
export type Impurity = { what: string; line: number };

/** Global names whose every use is an impurity. */
const WORLD = new Set([
  ..."process globalThis global window self document navigator console performance crypto".split(" "),
  ..."setTimeout setInterval setImmediate queueMicrotask fetch WebSocket EventSource XMLHttpRequest Worker".split(
    " ",
  ),
  ..."Buffer __dirname __filename require Temporal".split(" "),
]);

/** Globals with pure members: only these members are the world. Taken whole (`const { now } = Date`), they are too. */
const WORLDLY_MEMBERS: Record<string, string[]> = {
  Date: ["now"],
  Math: ["random"],
  AbortSignal: ["timeout"],
};

/**
 * Reads the syntax, not the text: a comment or a string may say `Date.now()`. A name that the file binds itself
 * (a parameter called `process`) is its own and no longer the global.
 */
export function findImpurities(code: Code): Impurity[] {
  const found: Impurity[] = [];
  const own = boundNames(code);
  walk(code.program, (node, parents) => {
    const what = impurity(node, parents, own);
    if (what !== undefined) found.push({ what, line: code.lineAt(node.start) });
  });
  return found;
}

function impurity(node: Node, parents: readonly Node[], own: ReadonlySet<string>): string | undefined {
  if (node.type === "MetaProperty" && node.meta.name === "import") return "import.meta";
  if (node.type !== "Identifier" || own.has(node.name) || !isReference(node, parents)) return undefined;
  if (WORLD.has(node.name)) return node.name;
  const members = WORLDLY_MEMBERS[node.name];
  return members && worldlyUse({ node, parent: parents.at(-1), members, name: node.name });
}

type Use = { node: Node; parent: Node | undefined; members: string[]; name: string };

function worldlyUse({ node, parent, members, name }: Use): string | undefined {
  if (parent?.type === "MemberExpression" && parent.object === node) {
    const member = memberName(parent);
    return member !== undefined && !members.includes(member) ? undefined : `${name}.${member ?? "[…]"}`;
  }
  if (name === "Date" && parent?.type === "NewExpression") {
    return parent.arguments.length === 0 ? "new Date()" : undefined;
  }
  if (name === "Date" && parent?.type === "CallExpression" && parent.callee === node) return "Date()";
  if (parent?.type === "BinaryExpression" && parent.operator === "instanceof") return undefined;
  return name;
}

function memberName(node: Node & { type: "MemberExpression" }): string | undefined {
  if (!node.computed) return node.property.type === "Identifier" ? node.property.name : undefined;
  return node.property.type === "Literal" && typeof node.property.value === "string"
    ? node.property.value
    : undefined;
}

/** Property names, keys, labels and type positions only look like uses. */
function isReference(node: Node, parents: readonly Node[]): boolean {
  const parent = parents.at(-1);
  if (!parent) return false;
  switch (parent.type) {
    case "MemberExpression":
      return parent.object === node || parent.computed;
    case "Property":
      // `{ process }` uses it, `{ process: x }` does not.
      return parent.value === node || parent.computed;
    case "PropertyDefinition":
    case "MethodDefinition":
      return parent.value === node || parent.computed;
    case "LabeledStatement":
    case "BreakStatement":
    case "ContinueStatement":
    case "ImportSpecifier":
    case "ExportSpecifier":
      return false;
    default:
      return !(parent.type.startsWith("TS") && !TYPE_NODES_AROUND_VALUES.has(parent.type));
  }
}

const TYPE_NODES_AROUND_VALUES = new Set([
  "TSAsExpression",
  "TSSatisfiesExpression",
  "TSNonNullExpression",
  "TSTypeAssertion",
  "TSInstantiationExpression",
]);

function boundNames(code: Code): Set<string> {
  const names = new Set<string>();
  walk(code.program, (node) => {
    for (const pattern of patternsOf(node)) for (const name of namesIn(pattern)) names.add(name);
  });
  return names;
}

/** The patterns in which a node binds names. */
function patternsOf(node: Node): (Node | null)[] {
  switch (node.type) {
    case "VariableDeclarator":
    case "ClassDeclaration":
      return [node.id];
    case "FunctionDeclaration":
      return [node.id, ...node.params];
    case "FunctionExpression":
    case "ArrowFunctionExpression":
      return node.params;
    case "ImportSpecifier":
    case "ImportDefaultSpecifier":
    case "ImportNamespaceSpecifier":
      return [node.local];
    case "CatchClause":
      return [node.param];
    default:
      return [];
  }
}

function namesIn(pattern: Node | null): string[] {
  switch (pattern?.type) {
    case "Identifier":
      return [pattern.name];
    case "AssignmentPattern":
      return namesIn(pattern.left);
    case "RestElement":
      return namesIn(pattern.argument);
    case "ArrayPattern":
      return pattern.elements.flatMap(namesIn);
    case "ObjectPattern":
      return pattern.properties.flatMap((one) => namesIn(one.type === "Property" ? one.value : one));
    default:
      return [];
  }
}

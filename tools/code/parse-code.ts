import { type Comment, type Node, parseSync, visitorKeys } from "oxc-parser";
import type { Source } from "./source.ts";

/** A parsed file. `lineAt` turns an offset of the parser into a line number that an editor can jump to. */
export type Code = {
  path: string;
  program: Node;
  comments: Comment[];
  lineAt(offset: number): number;
};

/** A file that does not parse answers its first syntax error instead: a check must never pass by not reading. */
export function parseCode({ path, text }: Source): Code | { syntaxError: string; line: number } {
  const { program, comments, errors } = parseSync(path, text);
  const starts = lineStarts(text);
  const lineAt = (offset: number) => lineOf(starts, offset);
  const [error] = errors;
  if (error) return { syntaxError: error.message, line: lineAt(error.labels[0]?.start ?? 0) };
  return { path, program, comments, lineAt };
}

/** Visits every node, parents before children. `parents` ends with the nearest one. */
export function walk(root: Node, visit: (node: Node, parents: readonly Node[]) => void): void {
  const parents: Node[] = [];
  const step = (node: Node): void => {
    visit(node, parents);
    parents.push(node);
    for (const child of childrenOf(node)) step(child);
    parents.pop();
  };
  step(root);
}

function childrenOf(node: Node): Node[] {
  const children: Node[] = [];
  for (const key of visitorKeys[node.type] ?? []) {
    const value: unknown = Reflect.get(node, key);
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) children.push(child);
    }
  }
  return children;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

function lineOf(starts: number[], offset: number): number {
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle;
  }
  return low + 1;
}

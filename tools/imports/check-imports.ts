import { posix } from "node:path";
import type { Finding } from "../code/finding.ts";
import { type Code, parseCode } from "../code/parse-code.ts";
import { isCode, type Source } from "../code/source.ts";
import { findCircles } from "./find-circles.ts";
import { findImpurities } from "./find-impurities.ts";
import { type Edge, isTestCode, judgeImport, type Rules, zoneOf } from "./judge-imports.ts";
import { readImports } from "./read-imports.ts";
import { resolveImport, type Workspace } from "./resolve-import.ts";

/** Holds every file to `import-rules.ts`: zones, owned packages, pure cores, and no circles. */
export function checkImports(sources: Source[], rules: Rules): Finding[] {
  const files = new Set(sources.map((source) => source.path));
  const workspaces = sources.flatMap(asWorkspace);
  const findings: Finding[] = [];
  const edges: Edge[] = [];
  for (const source of sources.filter((one) => isCode(one.path))) {
    const code = parseCode(source);
    if ("syntaxError" in code) {
      findings.push({
        path: source.path,
        line: code.line,
        rule: "imports/syntax",
        message: code.syntaxError,
      });
      continue;
    }
    findings.push(...judgeFile(code, rules));
    for (const found of readImports(code)) {
      const to = resolveImport(found.specifier, { path: source.path, files, workspaces });
      edges.push({ from: source.path, found, to });
    }
  }
  findings.push(...edges.flatMap((edge) => judgeImport(edge, rules) ?? []));
  findings.push(...judgeCircles(edges));
  return findings;
}

function judgeFile(code: Code, { zones }: Rules): Finding[] {
  const zone = zoneOf(code.path, zones);
  if (!zone) {
    const message = "in no zone: give its folder a line in tools/import-rules.ts";
    return [{ path: code.path, line: 1, rule: "imports/zone", message }];
  }
  if (!zone.pureWith || isTestCode(code.path)) return [];
  return findImpurities(code).map(({ what, line }) => ({
    path: code.path,
    line,
    rule: "imports/pure",
    message: `${what} in ${zone.name}, which is pure: ${zone.instead}`,
  }));
}

/** A circle through types only is a circle too: the two files cannot be read or moved apart. */
function judgeCircles(edges: Edge[]): Finding[] {
  const graph = new Map<string, Map<string, number>>();
  for (const { from, found, to } of edges) {
    if (to.kind !== "file") continue;
    const targets = graph.get(from) ?? new Map<string, number>();
    graph.set(from, targets.set(to.path, targets.get(to.path) ?? found.line));
  }
  return findCircles(graph).map((circle) => {
    const [path = "", next = ""] = circle;
    const line = graph.get(path)?.get(next) ?? 1;
    const message = `a circle: ${circle.join(" → ")}; move what both need into a third file`;
    return { path, line, rule: "imports/circle", message };
  });
}

function asWorkspace({ path, text }: Source): Workspace[] {
  if (posix.basename(path) !== "package.json" || path === "package.json") return [];
  const { name, exports, imports } = JSON.parse(text) as Record<string, unknown>;
  return typeof name === "string" ? [{ folder: posix.dirname(path), name, exports, imports }] : [];
}

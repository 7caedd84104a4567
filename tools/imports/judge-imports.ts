import type { Finding } from "../code/finding.ts";
import type { OwnedPackage, Zone } from "../import-rules.ts";
import type { Import } from "./read-imports.ts";
import { packageName, type Resolved } from "./resolve-import.ts";

export type Rules = { zones: Zone[]; ownedPackages: OwnedPackage[] };

/** One import with where it leads. */
export type Edge = { from: string; found: Import; to: Resolved };

type Verdict = Pick<Finding, "rule" | "message"> | undefined;

/** Holds one import to the rules. Circles are judged over the whole graph, elsewhere. */
export function judgeImport(edge: Edge, rules: Rules): Finding | undefined {
  const verdict = judge(edge, rules);
  return verdict && { path: edge.from, line: edge.found.line, ...verdict };
}

export function zoneOf(path: string, zones: Zone[]): Zone | undefined {
  const matched = (zone: Zone) =>
    Math.max(...zone.at.map((prefix) => (path.startsWith(prefix) ? prefix.length : -1)));
  const [best] = [...zones].sort((a, b) => matched(b) - matched(a));
  return best && matched(best) >= 0 ? best : undefined;
}

export function isTestCode(path: string): boolean {
  return /\.(test|e2e)\.tsx?$|(^|\/)testing\/|(^|\/)test-[^/]*\.ts$|^tests\/|^bench\//.test(path);
}

function judge({ from, found, to }: Edge, rules: Rules): Verdict {
  const zone = zoneOf(from, rules.zones);
  if (!zone) return undefined;
  switch (to.kind) {
    case "asset":
      return undefined;
    case "missing":
      return {
        rule: "imports/missing",
        message: `"${found.specifier}" leads nowhere: write the path with its extension, and open it in the package's exports`,
      };
    case "builtin":
    case "package":
      return judgePackage({ from, found, to }, zone, rules.ownedPackages);
    case "file":
      return judgeFile({ from, found, to: to.path }, zone, rules.zones);
  }
}

function judgePackage({ from, found }: Edge, zone: Zone, owned: OwnedPackage[]): Verdict {
  if (isTestCode(from)) return undefined;
  const name = packageName(found.specifier);
  if (zone.pureWith && !zone.pureWith.includes(name)) {
    return {
      rule: "imports/pure",
      message: `"${found.specifier}" in ${zone.name}, which is pure: ${zone.instead}`,
    };
  }
  const owner = owned.find((one) => one.packages.includes(name));
  if (owner && !owner.ownedBy.some((folder) => from.startsWith(folder))) {
    return {
      rule: "imports/owner",
      message: `"${name}" belongs to ${owner.ownedBy.join(" and ")} only: ${owner.instead}`,
    };
  }
  return undefined;
}

function judgeFile(
  { from, found, to }: { from: string; found: Import; to: string },
  zone: Zone,
  zones: Zone[],
): Verdict {
  const other = zoneOf(to, zones);
  if (!other)
    return {
      rule: "imports/zone",
      message: `${to} is in no zone: give its folder a line in tools/import-rules.ts`,
    };
  if (found.specifier.startsWith(".") && homeOf(from) !== homeOf(to) && to.startsWith("packages/")) {
    return {
      rule: "imports/subpath",
      message: `${to} by a path across packages: import it by its package's name`,
    };
  }
  if (isTestCode(from)) return judgeTest(from, to, zone);
  if (isTestCode(to)) {
    return { rule: "imports/test-code", message: `${to} is for tests: product code cannot depend on it` };
  }
  if (other === zone) return zone.apart ? judgeApart(from, to, zone) : undefined;
  if (zone.imports.includes("*") || zone.imports.includes(other.name)) return undefined;
  if (found.typeOnly && zone.typesOf?.includes(other.name)) return undefined;
  const allowed = zone.typesOf?.includes(other.name) ? " (its types are allowed: use `import type`)" : "";
  return {
    rule: "imports/zone",
    message: `${zone.name} may not import ${other.name}${allowed}: ${zone.instead}`,
  };
}

function judgeTest(from: string, to: string, zone: Zone): Verdict {
  if (zone.imports.includes("*") || homeOf(from) === homeOf(to) || to.startsWith("packages/"))
    return undefined;
  return {
    rule: "imports/zone",
    message: `a test of ${homeOf(from)} may not import ${homeOf(to)}: whole-system tests live in tests/`,
  };
}

function judgeApart(from: string, to: string, zone: Zone): Verdict {
  const part = (path: string) => path.slice(prefixOf(path, zone).length).split("/", 1)[0];
  if (part(from) === part(to)) return undefined;
  return { rule: "imports/apart", message: `${part(from)} may not import ${part(to)}: ${zone.instead}` };
}

function prefixOf(path: string, zone: Zone): string {
  return zone.at.find((prefix) => path.startsWith(prefix)) ?? "";
}

/** The workspace or top folder that a file lives in: `apps/web`, `packages/shared`, `tools`. */
function homeOf(path: string): string {
  return path
    .split("/")
    .slice(0, /^(apps|packages)\//.test(path) ? 2 : 1)
    .join("/");
}

import { dirname, join } from "node:path/posix";

/** A package of ours: where it lies, its name, and what its package.json opens (`exports`) and shortens (`imports`). */
export type Workspace = { folder: string; name: string; exports: unknown; imports: unknown };

export type Resolved =
  | { kind: "file"; path: string }
  | { kind: "builtin"; name: string }
  | { kind: "package"; name: string }
  | { kind: "asset" }
  | { kind: "missing" };

type From = { path: string; files: ReadonlySet<string>; workspaces: Workspace[] };

/** Where an import leads. Only what Node itself would accept resolves: extensions are written, nothing is guessed. */
export function resolveImport(specifier: string, from: From): Resolved {
  if (specifier.startsWith("node:")) return { kind: "builtin", name: specifier };
  if (specifier.startsWith(".")) return toFile(join(dirname(from.path), specifier), from.files);
  if (specifier.startsWith("#")) return throughMap(specifier, from, "imports");
  const name = packageName(specifier);
  const workspace = from.workspaces.find((one) => one.name === name);
  if (!workspace) return { kind: "package", name: specifier };
  const path = target(workspace.exports, `.${specifier.slice(name.length)}`);
  return path === undefined ? { kind: "missing" } : toFile(join(workspace.folder, path), from.files);
}

/** `@scope/name/deep/file` → `@scope/name` */
export function packageName(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function throughMap(specifier: string, from: From, field: "imports"): Resolved {
  const workspace = from.workspaces.find((one) => from.path.startsWith(`${one.folder}/`));
  const path = workspace && target(workspace[field], specifier);
  return path === undefined ? { kind: "missing" } : toFile(join(workspace?.folder ?? "", path), from.files);
}

/** Exact keys first, then the longest `*` pattern, as Node does it. Of conditions, the first that names a path counts. */
function target(map: unknown, key: string): string | undefined {
  if (typeof map !== "object" || map === null)
    return key === "." && typeof map === "string" ? map : undefined;
  const entries = Object.entries(map).sort(([a], [b]) => b.length - a.length);
  for (const [pattern, value] of entries) {
    const [head, tail] = pattern.split("*");
    const path = firstPath(value);
    if (path === undefined || head === undefined) continue;
    if (tail === undefined) {
      if (pattern === key) return path;
    } else if (key.startsWith(head) && key.endsWith(tail) && key.length >= pattern.length) {
      return path.replaceAll("*", key.slice(head.length, key.length - tail.length));
    }
  }
  return undefined;
}

function firstPath(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return undefined;
  for (const inner of Object.values(value)) {
    const path = firstPath(inner);
    if (path !== undefined) return path;
  }
  return undefined;
}

function toFile(path: string, files: ReadonlySet<string>): Resolved {
  if (files.has(path)) return { kind: "file", path };
  // Build output is not in git, and pictures and styles carry no rules.
  if (/(^|\/)(dist|\.next)\//.test(path)) return { kind: "asset" };
  if (/\.[a-z0-9]+$/.test(path) && !/\.(ts|tsx|mts|mjs|js|jsx|json)$/.test(path)) return { kind: "asset" };
  return { kind: "missing" };
}

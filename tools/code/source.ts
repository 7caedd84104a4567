import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** The root of the checkout that this tool lies in. */
export const REPOSITORY = join(import.meta.dirname, "../..");

/** A file of the repository: its path from the root with forward slashes, and its text. */
export type Source = { path: string; text: string };

/**
 * Every text file that is in git or would be: the checks judge what a commit would carry, never build output.
 * Files that hold a NUL byte (pictures, fonts) are left out, as are links and files deleted but not yet committed.
 */
export function readSources(): Source[] {
  const root = REPOSITORY;
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  const paths = [...new Set(listed.split("\0").filter((path) => path !== ""))].sort();
  return paths.flatMap((path) => {
    const text = readText(join(root, path));
    return text === undefined ? [] : [{ path, text }];
  });
}

export function isCode(path: string): boolean {
  return /\.(ts|tsx|mts|mjs|js|jsx)$/.test(path) && !path.endsWith(".d.ts");
}

function readText(file: string): string | undefined {
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return undefined;
  const text = readFileSync(file, "utf8");
  return text.includes("\0") ? undefined : text;
}

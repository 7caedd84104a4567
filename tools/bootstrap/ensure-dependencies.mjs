import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runNpm } from "./ensure-node.mjs";

/**
 * Installs what `package-lock.json` says, unless npm's own record of what it installed says that it is there.
 * @param {string} root @param {(line: string) => void} say
 */
export async function ensureDependencies(root, say) {
  const missing = findMissing(root);
  if (missing.length === 0) return;
  const first = missing.slice(0, 3).join(", ");
  say(
    missing.length > 100
      ? "Installing dependencies (npm ci)."
      : `Installing dependencies (npm ci): ${first}${missing.length > 3 ? ", …" : ""} ${missing.length === 1 ? "differs" : "differ"} from package-lock.json.`,
  );
  await runNpm(["ci"], root);
}

/** @param {string} root @returns {string[]} */
function findMissing(root) {
  const wanted = readPackages(join(root, "package-lock.json"));
  // npm writes it last, so a torn install has none.
  const recordPath = join(root, "node_modules", ".package-lock.json");
  const installed = existsSync(recordPath) ? readPackages(recordPath) : {};
  return Object.entries(wanted)
    .filter(([path]) => path.startsWith("node_modules/") || path.includes("/node_modules/"))
    .filter(([path, entry]) => {
      const found = installed[path];
      if (!found) return !isLeftOutHere(entry);
      return found.version !== entry.version || found.link !== entry.link;
    })
    .map(([path]) => path.replace(/^.*node_modules\//, ""));
}

/**
 * npm leaves out what is for another system, and may leave out what is optional.
 * @param {LockEntry} entry
 */
function isLeftOutHere(entry) {
  return Boolean(entry.optional || entry.devOptional || entry.peer || entry.os || entry.cpu);
}

/** @typedef {{ version?: string, link?: boolean, optional?: boolean, devOptional?: boolean, peer?: boolean,
 *   os?: string[], cpu?: string[] }} LockEntry */

/** @param {string} path @returns {Record<string, LockEntry>} */
function readPackages(path) {
  return JSON.parse(readFileSync(path, "utf8")).packages ?? {};
}

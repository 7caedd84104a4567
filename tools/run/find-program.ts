import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The first of these programs that is there: names are looked up in PATH and where Debian keeps root's programs. */
export function findProgram(names: (string | undefined)[]): string | undefined {
  for (const name of names) {
    const found = name && candidates(name).find(isExecutable);
    if (found) return found;
  }
  return undefined;
}

function candidates(name: string): string[] {
  if (name.includes("/")) return [name];
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/bin"];
  return folders.filter((folder) => folder !== "").map((folder) => join(folder, name));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

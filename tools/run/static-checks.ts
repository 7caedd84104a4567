import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { REPOSITORY } from "../code/source.ts";

/** One check that needs no running part of Nexus. Checks do not depend on each other and change nothing. */
export type Check = { name: string; argv: string[]; cwd?: string };

/** All of them, in the order in which they start: the long ones first. */
export function staticChecks(): Check[] {
  const node = process.execPath;
  return [
    { name: "unused", argv: ["knip", "--no-progress", "--no-config-hints"] },
    { name: "lint", argv: ["biome", "check", "--error-on-warnings", "--colors=off", "."] },
    { name: "types", argv: ["tsc", "-p", "."] },
    ...workspacesWithTypes().map((folder) => ({
      name: `types:${folder.split("/").at(-1)}`,
      argv: [node, "--run", "typecheck"],
      cwd: folder,
    })),
    { name: "imports", argv: [node, "tools/check-imports.ts"] },
    { name: "spec", argv: [node, "tools/check-spec.ts"] },
    { name: "tidy", argv: [node, "tools/check-tidy.ts"] },
    { name: "generated", argv: [node, "tools/check-generated.ts"] },
  ];
}

function workspacesWithTypes(): string[] {
  return globSync("{apps,packages}/*/package.json", { cwd: REPOSITORY })
    .map((file) => dirname(file))
    .filter((folder) => existsSync(join(REPOSITORY, folder, "tsconfig.json")))
    .filter((folder) =>
      readFileSync(join(REPOSITORY, folder, "package.json"), "utf8").includes(`"typecheck"`),
    )
    .sort();
}

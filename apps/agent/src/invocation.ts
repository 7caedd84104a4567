/** How a person started this program, so that what we tell them to type next works as it stands. */
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { commandText } from "@nexus/shared/command-text";

export type Started = {
  /** The file that was named or found, before links are followed. */
  program: string;
  nodePath: string;
  /** The folders of PATH. */
  searched: readonly string[];
};

/** @returns what goes before a command: `npx …`, `nexus-agent`, or the program's path. */
export async function invocation({ program, nodePath, searched }: Started): Promise<string> {
  const spec = await npxSpec(program);
  if (spec !== null) return `npx ${commandText([spec])}`;
  const name = basename(program);
  if (name === "nexus-agent" && searched.includes(dirname(program))) return name;
  return commandText(name.endsWith(".js") ? [nodePath, program] : [program]);
}

/** What npx was given: it keeps each program in a folder of its own, and notes there what for. */
async function npxSpec(program: string): Promise<string | null> {
  const [bin, modules] = [dirname(program), dirname(dirname(program))];
  if (basename(bin) !== ".bin" || basename(modules) !== "node_modules") return null;
  const text = await readFile(join(dirname(modules), "package.json"), "utf8").catch(() => "{}");
  const { _npx: npx } = JSON.parse(text) as { _npx?: { packages?: unknown[] } };
  const [spec] = npx?.packages ?? [];
  return typeof spec === "string" ? spec : null;
}

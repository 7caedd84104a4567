import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Finding } from "../code/finding.ts";
import type { Generator } from "../generated-files.ts";
import { runCommand } from "../run/run-command.ts";

const GENERATOR_TIMEOUT_MS = 3 * 60_000;

/**
 * Runs each generator and compares what it wrote with what was there. The files are put back as they were:
 * a check changes nothing, and the author decides what to commit.
 */
export async function checkGenerated(generators: Generator[], root: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const generator of generators) findings.push(...(await checkOne(generator, root)));
  return findings;
}

async function checkOne({ name, argv, cwd, outputs }: Generator, root: string): Promise<Finding[]> {
  const before = readAll(outputs, root);
  const ended = await runCommand({
    argv,
    cwd: join(root, cwd ?? "."),
    timeoutMs: GENERATOR_TIMEOUT_MS,
    output: "keep",
  });
  const after = readAll(outputs, root);
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
    (path) => before.get(path) !== after.get(path),
  );
  for (const path of changed) restore(join(root, path), before.get(path));
  if (ended.exitCode !== 0) {
    const message = `${name} (${argv.join(" ")}) failed: ${ended.output.trim()}`;
    return [{ path: outputs[0] ?? name, line: 1, rule: "generated/failed", message }];
  }
  const message = `stale: run \`${argv.join(" ")}\`${cwd === undefined ? "" : ` in ${cwd}`} and commit what it writes`;
  return changed.map((path) => ({ path, line: 1, rule: "generated/stale", message }));
}

function readAll(outputs: string[], root: string): Map<string, string> {
  const texts = new Map<string, string>();
  for (const output of outputs) {
    const stat = statSync(join(root, output), { throwIfNoEntry: false });
    if (stat?.isFile()) texts.set(output, readFileSync(join(root, output), "latin1"));
    if (!stat?.isDirectory()) continue;
    const entries = readdirSync(join(root, output), { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((one) => one.isFile())) {
      const file = join(entry.parentPath, entry.name);
      texts.set(file.slice(root.length + 1), readFileSync(file, "latin1"));
    }
  }
  return texts;
}

function restore(file: string, text: string | undefined): void {
  if (text === undefined) {
    rmSync(file, { force: true });
    return;
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, "latin1");
}

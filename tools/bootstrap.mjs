/**
 * `node tools/bootstrap.mjs up|test|check|bench|chaos|sim|fuzz [arguments]`: what the commands of the README begin with, on a machine that has
 * only Node 18 or newer and npm. It sees to a fit Node and to the dependencies, then runs the command.
 */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ensureDependencies } from "./bootstrap/ensure-dependencies.mjs";
import { runOnFitNode } from "./bootstrap/ensure-node.mjs";

const COMMANDS = ["up", "test", "check", "bench", "chaos", "sim", "fuzz"];
const EXIT_USAGE = 64;

const root = fileURLToPath(new URL("..", import.meta.url));
const [command = "", ...args] = process.argv.slice(2);
const say = (/** @type {string} */ line) => void process.stderr.write(`${line}\n`);

if (COMMANDS.includes(command)) {
  Object.assign(process.env, {
    NEXT_TELEMETRY_DISABLED: "1",
    TURBO_TELEMETRY_DISABLED: "1",
    DO_NOT_TRACK: "1",
  });
  const home = resolve(process.env.NEXUS_HOME || join(homedir(), ".nexus"));
  const fallbackDir = join(root, "node_modules", ".cache", "nexus", "node24");
  await runOnFitNode({ home, fallbackDir, say }, async () => {
    await ensureDependencies(root, say);
    const program = join(root, "tools", `${command}.ts`);
    process.argv = [process.execPath, program, ...args];
    await import(pathToFileURL(program).href);
  });
} else {
  say(`usage: node tools/bootstrap.mjs ${COMMANDS.join("|")} [arguments]`);
  process.exitCode = EXIT_USAGE;
}

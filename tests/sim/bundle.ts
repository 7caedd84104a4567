/**
 * Builds the simulator: the real control plane and the real agent, bundled over stand-ins for what lies below them (clock,
 * timers, disk, processes, sockets, database). What is replaced is named here and nowhere else.
 */
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, "../..");
const CACHE = join(ROOT, "node_modules/.cache/nexus-sim");

/** Names of modules, as the product imports them. */
const MODULES: Record<string, string> = {
  "node:fs": "node-fs",
  "node:fs/promises": "node-fs-promises",
  "node:child_process": "node-child-process",
  "node:crypto": "node-crypto",
  "node:timers/promises": "node-timers-promises",
  ws: "ws",
};

/** Files of the product. */
const FILES: Record<string, string> = {
  "apps/agent/src/exec/process-table.ts": "process-table",
  "apps/agent/src/host/facts.ts": "host-facts",
  "apps/agent/src/host/sample.ts": "host-facts",
  "packages/shared/src/crypto/ed25519.ts": "ed25519",
  "apps/web/src/server/db/queries/hold-active-lock.ts": "hold-active-lock",
};

const GLOBALS = {
  setTimeout: "simSetTimeout",
  clearTimeout: "simClearTimeout",
  setInterval: "simSetInterval",
  clearInterval: "simClearTimeout",
  setImmediate: "simSetImmediate",
  clearImmediate: "simClearTimeout",
  performance: "simPerformance",
  process: "simProcess",
  "Date.now": "simDateNow",
  "Math.random": "simMathRandom",
};

/** A change to one file of the product's source: what one guard is, and what it is without it. */
export type Patch = { file: string; find: string; replace: string };

/** @returns the path of a module with `simulate`. */
export async function bundleSimulator(name: string, patch: Patch | null = null): Promise<string> {
  await mkdir(CACHE, { recursive: true });
  const path = join(CACHE, `${name}.mjs`);
  let isPatched = false;
  const plugin: Plugin = {
    name: "stand-ins",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^(node:|ws$)/ }, ({ path: asked, importer }) => {
        const standIn = MODULES[asked];
        const isOurs = importer.includes("/apps/") || importer.includes("/packages/");
        if (standIn === undefined || !isOurs) return asked === "ws" ? null : { path: asked, external: true };
        return { path: join(HERE, "stand-ins", `${standIn}.ts`) };
      });
      onLoad({ filter: /\/(apps|packages)\/.*\.ts$/ }, ({ path: file }) => {
        const own = file
          .slice(ROOT.length + 1)
          .replace(/^node_modules\/@nexus\/shared\//, "packages/shared/");
        const standIn = FILES[own];
        if (standIn !== undefined) {
          return {
            contents: `export * from ${JSON.stringify(join(HERE, "stand-ins", `${standIn}.ts`))};`,
            loader: "ts",
            resolveDir: HERE,
          };
        }
        if (own.startsWith("apps/web/src/server/db/queries/")) {
          return { contents: statementModule(readFileSync(file, "utf8")), loader: "ts" };
        }
        if (patch?.file !== own) return null;
        const source = readFileSync(file, "utf8");
        if (source.split(patch.find).length !== 2)
          throw new Error(
            `${own} must hold once: ${patch.find}\nThe guard has changed; change its mutant too.`,
          );
        isPatched = true;
        return { contents: source.replace(patch.find, () => patch.replace), loader: "ts" };
      });
    },
  };
  await build({
    absWorkingDir: ROOT,
    entryPoints: [join(HERE, "world/simulate.ts")],
    outfile: path,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node22.18",
    define: GLOBALS,
    inject: [join(HERE, "stand-ins/globals.ts")],
    plugins: [plugin],
    sourcemap: "inline",
    logLevel: "error",
  });
  if (patch !== null && !isPatched) throw new Error(`${patch.file} is not part of the simulator`);
  return path;
}

/** Every function of the module asks the simulated database for the statement of its name. */
function statementModule(source: string): string {
  const names = [...source.matchAll(/export (?:async )?function (\w+)/g)].map(([, name]) => name);
  return names
    .map(
      (name) => `export const ${name} = (handle, ...values) => handle.run(${JSON.stringify(name)}, values);`,
    )
    .join("\n");
}

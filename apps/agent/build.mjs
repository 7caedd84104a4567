/** `node build.mjs [folder]`: the agent as one file without a dependency. */
import { builtinModules } from "node:module";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Loaded when first used: a node that dials plain http on its own machine never needs them, and they are 5 MB. */
const LAZY = ["https", "tls", "zlib"];

/**
 * `import` of a Node module reads every one of its exports, and some of those load half of Node when they are read:
 * `node:http` brings a whole second HTTP client and `node:crypto` another, for 10 MB in a process that uses neither.
 * `require` reads what is used.
 * @type {import("esbuild").Plugin}
 */
const requireNodeModules = {
  name: "require-node-modules",
  setup({ onResolve, onLoad }) {
    const builtin = new RegExp(`^(node:)?(${builtinModules.join("|")})$`);
    onResolve({ filter: builtin }, ({ path, namespace }) =>
      namespace === "node-module"
        ? { path, external: true }
        : { path: path.replace("node:", ""), namespace: "node-module" },
    );
    onLoad({ filter: /.*/, namespace: "node-module" }, async ({ path }) => {
      const required = `require(${JSON.stringify(`node:${path}`)})`;
      if (!LAZY.includes(path)) return { contents: `module.exports = ${required}` };
      const names = Object.keys(await import(`node:${path}`)).filter((name) => name !== "default");
      const getters = names.map((name) => `get ${name}() { return ${required}.${name} }`);
      return { contents: `module.exports = { ${getters.join(", ")} }` };
    });
  },
};

await build({
  absWorkingDir: fileURLToPath(new URL(".", import.meta.url)),
  entryPoints: { "nexus-agent": "src/main.ts" },
  outdir: process.argv[2] ?? "dist",
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node22.18",
  minify: true,
  keepNames: true,
  legalComments: "none",
  // ws looks for these at run time and does without: the agent has no dependency, native ones least of all.
  external: ["bufferutil", "utf-8-validate"],
  plugins: [requireNodeModules],
  banner: {
    js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
  },
});

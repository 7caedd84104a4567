import { build } from "esbuild";

await build({
  entryPoints: { "nexus-agent": "src/main.ts" },
  outdir: "dist",
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node22.18",
  minify: true,
  keepNames: true,
  legalComments: "none",
  // ws looks for these at run time and does without: the agent has no dependency, native ones least of all.
  external: ["bufferutil", "utf-8-validate"],
  // ws and commander are CommonJS and ask for Node's modules by require.
  banner: {
    js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
  },
});

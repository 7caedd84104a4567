import { build } from "esbuild";

await build({
  entryPoints: { nexus: "src/main.ts" },
  outdir: "dist",
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node22.18",
  minify: true,
  keepNames: true,
  legalComments: "none",
  // commander is CommonJS and asks for Node's modules by require.
  banner: {
    js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
  },
});

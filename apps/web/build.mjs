// Bundles the server: our own TypeScript goes in, packages stay outside, as Next must find itself in node_modules.
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { build } from "esbuild";

await build({
  // The threads that search in logs have a program of their own.
  entryPoints: { server: "server.ts", "search-worker": "src/server/logs/search-worker.ts" },
  outdir: "dist",
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node22",
  sourcemap: true,
  logLevel: "warning",
  plugins: [
    {
      name: "packages-stay-outside",
      setup({ onResolve }) {
        onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
          kind === "entry-point" || path.startsWith("@nexus/") ? undefined : { path, external: true },
        );
      },
    },
  ],
});

// What is brought to machines over SSH travels with the server.
const agent = spawnSync(process.execPath, ["../agent/build.mjs", resolve("dist/agent")], {
  stdio: "inherit",
});
if (agent.status !== 0) process.exit(agent.status ?? 1);

const next = spawnSync("next", ["build"], { stdio: "inherit" });
if (next.error) process.stderr.write(`next build did not run: ${next.error.message}\n`);
process.exit(next.status ?? 1);

// Bundles the server: our own TypeScript goes in, packages stay outside, as Next must find itself in node_modules.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
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

// And the same as a package, which machines take from here by npx.
const stage = resolve("dist/agent/package");
rmSync(stage, { recursive: true, force: true });
mkdirSync(join(stage, "dist"), { recursive: true });
for (const part of ["package.json", "bin"])
  cpSync(join("../agent", part), join(stage, part), { recursive: true });
cpSync("dist/agent/nexus-agent.js", join(stage, "dist/nexus-agent.js"));
const packed = spawnSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", ".."], {
  cwd: stage,
  encoding: "utf8",
  stdio: ["ignore", "pipe", "inherit"],
});
if (packed.status !== 0) {
  process.stderr.write(`npm pack of the agent failed: ${packed.error?.message ?? packed.status}\n`);
  process.exit(1);
}
renameSync(join("dist/agent", packed.stdout.trim()), "dist/agent/nexus-agent.tgz");
rmSync(stage, { recursive: true, force: true });

const next = spawnSync("next", ["build"], { stdio: "inherit" });
if (next.error) process.stderr.write(`next build did not run: ${next.error.message}\n`);
process.exit(next.status ?? 1);

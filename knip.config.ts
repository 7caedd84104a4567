import type { KnipConfig } from "knip";

/**
 * An export, a file or a dependency that nothing uses fails `npm run check`.
 * Types that only name a part of their own file's exports are fine: they make signatures readable.
 */
const config: KnipConfig = {
  ignoreExportsUsedInFile: { interface: true, type: true },
  // Programs of the system (ssh-keygen, tsp) are looked for when they are needed.
  exclude: ["binaries"],
  // Stylesheets import packages too (fonts, Tailwind).
  compilers: {
    css: (text) =>
      Array.from(text.matchAll(/@import\s+("[^"]+")/g), ([, path]) => `import ${path};`).join("\n"),
  },
  workspaces: {
    ".": {
      // Programs that tests start by their path are entries too.
      entry: [
        "tools/*.{ts,mjs}",
        "tools/**/testing/*-program.ts",
        "tools/run/count-unhandled-errors.ts",
        "bench/run.ts",
        "bench/programs/*.ts",
        "tests/chaos/run.ts",
        "tests/sim/{run,run-seeds-worker}.ts",
        "tests/sim/world/simulate.ts",
        "tests/sim/stand-ins/*.ts",
      ],
      project: ["tools/**/*.{ts,mjs}", "bench/**/*.ts", "tests/**/*.ts", "*.ts"],
      playwright: { config: ["tests/e2e/playwright.config.ts"], entry: ["tests/e2e/**/*.e2e.ts"] },
    },
    "apps/web": {
      entry: [
        "server.ts",
        "src/server/logs/search-worker.ts",
        "src/**/testing/*-program.ts",
        "src/app/dev/gallery/page.dev.tsx",
      ],
      project: ["src/**/*.{ts,tsx,css}", "*.{ts,mjs}"],
      // better-auth asks for the first four as peers; named here, so that they are pinned together. The bundled server finds ssh2,
      // which packages/ssh imports, beside itself.
      ignoreDependencies: [
        "@better-auth/core",
        "@better-auth/utils",
        "@better-fetch/fetch",
        "better-call",
        "ssh2",
      ],
    },
    "apps/agent": { entry: ["src/main.ts", "bin/*"], project: ["src/**/*.ts", "bin/*"] },
    "apps/cli": { entry: ["src/main.ts", "bin/*"], project: ["src/**/*.ts", "bin/*"] },
    // Its package.json opens every file, which would make every export look used.
    "packages/shared": { entry: [], project: ["src/**/*.ts"], includeEntryExports: true },
  },
};

export default config;

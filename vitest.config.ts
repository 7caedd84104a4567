import { defineConfig } from "vitest/config";

/** Bounds what hangs, on a slow and busy machine too; how fast something is, `npm run bench` measures. */
const caseTimeoutMs = 120_000;

export default defineConfig({
  test: {
    include: ["{apps,packages,tools,bench}/**/*.test.ts", "tests/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**", "**/.next/**", "tests/e2e/**"],
    environment: "node",
    globals: false,
    // Real processes and a real Postgres share the machine with the tests: more workers only make them wait.
    maxWorkers: 2,
    testTimeout: caseTimeoutMs,
    hookTimeout: caseTimeoutMs,
    teardownTimeout: caseTimeoutMs,
    // A second, the default, is short on a busy machine.
    expect: { poll: { timeout: caseTimeoutMs / 4 } },
    dangerouslyIgnoreUnhandledErrors: false,
    // Only opens a door: Postgres starts when the first test asks there, so that pure tests never wait for it.
    globalSetup: "apps/web/src/server/db/testing/test-database-door.ts",
  },
});

import { defineConfig } from "vitest/config";

const caseTimeoutMs = 20_000;

export default defineConfig({
  test: {
    include: ["{apps,packages,tools,bench}/**/*.test.ts", "tests/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**", "**/.next/**", "tests/e2e/**"],
    environment: "node",
    globals: false,
    // Real processes and a real Postgres share the machine with the tests: more workers only make them wait.
    maxWorkers: 2,
    testTimeout: caseTimeoutMs,
    hookTimeout: caseTimeoutMs * 3,
    teardownTimeout: caseTimeoutMs,
    dangerouslyIgnoreUnhandledErrors: false,
    // Only opens a door: Postgres starts when the first test asks there, so that pure tests never wait for it.
    globalSetup: "apps/web/src/server/db/testing/test-database-door.ts",
  },
});

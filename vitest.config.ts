import { defineConfig } from "vitest/config";

const caseTimeoutMs = 20_000;

export default defineConfig({
  test: {
    include: ["{apps,packages,tools,bench}/**/*.test.ts", "tests/{sim,chaos}/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**", "**/.next/**"],
    environment: "node",
    globals: false,
    // Real processes and a real Postgres share the machine with the tests: more workers only make them wait.
    maxWorkers: 2,
    testTimeout: caseTimeoutMs,
    hookTimeout: caseTimeoutMs * 3,
    teardownTimeout: caseTimeoutMs,
    dangerouslyIgnoreUnhandledErrors: false,
    // The test database has no global set-up on purpose: `test-database.ts` of the control plane
    // starts it when the first test asks for one, so that pure tests never wait for a Postgres.
  },
});

import { defineConfig } from "playwright/test";

/** Bounds what hangs, on a slow and busy machine too. */
const deadlineMs = 120_000;
const chromiumPath = process.env.CHROMIUM_PATH;

/**
 * The browser tests drive the Chromium that the machine has; `npm test` finds or installs one and names it in
 * CHROMIUM_PATH. Two workers, each with a Nexus of its own: tests wait
 * for processes more than they compute, so two share two cores well.
 */
export default defineConfig({
  testDir: ".",
  testMatch: "**/*.e2e.ts",
  outputDir: "../../test-results",
  workers: 2,
  // `npm test` itself runs once more what failed (C15).
  retries: 0,
  forbidOnly: true,
  timeout: deadlineMs,
  expect: { timeout: deadlineMs / 4 },
  reporter: "list",
  use: {
    browserName: "chromium",
    headless: true,
    actionTimeout: deadlineMs / 4,
    navigationTimeout: deadlineMs / 2,
    // Without pictures of every moment, which cost a third of the time.
    trace: { mode: "retain-on-failure", screenshots: false },
    screenshot: "only-on-failure",
    launchOptions: {
      ...(chromiumPath === undefined ? {} : { executablePath: chromiumPath }),
      // Chromium's sandbox refuses root, and containers often lack a large /dev/shm.
      args: process.getuid?.() === 0 ? ["--no-sandbox", "--disable-dev-shm-usage"] : [],
    },
  },
});

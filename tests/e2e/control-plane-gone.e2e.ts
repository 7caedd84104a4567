import { expect, test } from "./fixture.ts";

test.use({ expectedFaults: /net::ERR_|status of 503|ws\/ui/ });

test("[W29] while the control plane is gone the page says so; back again, the log goes on without a gap", async ({
  page,
  nexus,
  gate,
}) => {
  const script = `i=0; while ! [ -e "$DONE" ]; do i=$((i+1)); echo "line $i"; sleep 0.02; done; ${gate.wait}; echo "$i lines"`;
  const done = `${nexus.home}/done`;
  const job = await nexus.submit({
    command: ["sh", "-c", script],
    env: { DONE: done },
    target: "plain",
    gpus: 0,
  });
  await page.goto(`/jobs/${job.id}`);
  const log = page.getByRole("log");
  // Any line: the page follows the end, and a slow one comes late.
  await expect(log.getByText(/^line \d+$/).first()).toBeVisible();
  await page.evaluate(() => {
    document.body.dataset.sameDocument = "yes";
  });

  await nexus.server.kill("SIGKILL");
  const lost = page.getByRole("status").filter({ hasText: "Connection lost" });
  await expect(lost).toContainText("What you see is from then; reconnecting.");
  await nexus.startServer();
  await expect(lost).toHaveCount(0);

  const before = await nexus.job(job.id);
  await expect.poll(async () => (await nexus.job(job.id)).logBytes).toBeGreaterThan(before.logBytes);
  const touch = nexus.cli(["run", "-t", "plain", "-g", "0", "--", "touch", done]);
  expect(await touch.exit()).toBe(0);
  await gate.open();
  await expect(page.getByText("Log complete")).toBeVisible();
  await expect(log.getByText(/^\d+ lines$/)).toBeVisible();
  await expect(page.locator("body")).toHaveAttribute("data-same-document", "yes");
  await expect(page.getByRole("note")).toHaveCount(0);

  const count = Number.parseInt((await log.getByText(/^\d+ lines$/).textContent()) ?? "", 10);
  const last = await log
    .getByRole("button", { name: /^Select line/ })
    .last()
    .getAttribute("aria-label");
  expect(last).toBe(`Select line ${count + 1}`);
  const whole = Array.from({ length: count }, (_, index) => `line ${index + 1}\n`).join("");
  expect((await nexus.log(job.id)).toString()).toBe(`${whole}${count} lines\n`);
});

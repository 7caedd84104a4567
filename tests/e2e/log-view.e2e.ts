import { readFile } from "node:fs/promises";
import type { Job } from "@nexus/shared/api/schemas";
import type { Nexus } from "../harness/nexus.ts";
import { expect, test } from "./fixture.ts";

function shell(nexus: Nexus, script: string): Promise<Job> {
  return nexus.submit({ command: ["sh", "-c", script], target: "plain", gpus: 0 });
}

test("[W30] a log of 100,000 lines scrolls, is searched and linked to, with few rows in the page", async ({
  page,
  nexus,
}) => {
  const job = await shell(nexus, "seq 1 100000");
  await nexus.ended(job.id);
  await page.goto(`/jobs/${job.id}`);
  await expect(page.getByText("100,000 lines")).toBeVisible();
  const log = page.getByRole("log");
  const line = (number: number) => log.getByText(String(number), { exact: true });
  await expect(line(100_000)).toBeInViewport();
  await page.keyboard.press("g");
  await page.keyboard.press("g");
  await expect(line(1)).toBeInViewport();
  await log.hover();
  await page.mouse.wheel(0, 40_000);
  await expect(line(1)).toHaveCount(0);
  expect(await log.locator("[data-index]").count()).toBeLessThan(200);

  await page.keyboard.press("/");
  await page.keyboard.type("54321");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("status").filter({ hasText: "1 of 1" })).toBeVisible();
  await expect(log.locator("mark")).toHaveText("54321");
  await expect(log.locator("mark")).toBeInViewport();

  await log.getByRole("button", { name: "Select line 54321" }).click();
  await expect(page).toHaveURL(/#bytes=\d+$/);
  const address = page.url();
  await page.goto("/");
  await page.goto(address);
  await expect(line(54_321)).toBeInViewport();
});

test("[L26] a log that the page does not hold is searched whole, and its lines have their numbers", async ({
  page,
  nexus,
}) => {
  // About 22 MiB: more than a page loads by itself.
  const job = await shell(nexus, "seq 1 3000000");
  await nexus.ended(job.id);
  await page.goto(`/jobs/${job.id}`);
  const log = page.getByRole("log");
  await expect(log.getByRole("button", { name: "Select line 3000000" })).toBeInViewport();
  await page.keyboard.press("/");
  await page.keyboard.type("765432");
  const found = [765_432, 1_765_432, 2_765_432];
  for (const [index, number] of found.entries()) {
    await page.keyboard.press("Enter");
    await expect(page.getByRole("status").filter({ hasText: `${index + 1} of 3` })).toBeVisible();
    await expect(log.getByRole("button", { name: `Select line ${number}` })).toBeInViewport();
    await expect(log.locator("mark").first()).toBeInViewport();
  }
  await page.screenshot({ path: test.info().outputPath("search.png") });
});

test("[W30] following stops on a scroll up, and a button leads to the new lines", async ({
  page,
  nexus,
  gate,
}) => {
  const job = await shell(nexus, `seq 1 500; ${gate.wait}; seq 501 510; ${gate.wait}; seq 511 520`);
  await page.goto(`/jobs/${job.id}`);
  const log = page.getByRole("log");
  const line = (number: number) => log.getByText(String(number), { exact: true });
  await expect(line(500)).toBeInViewport();
  await log.hover();
  await page.mouse.wheel(0, -3000);
  await expect(page.getByRole("button", { name: "Follow the end" })).toBeVisible();
  await expect(line(500)).toHaveCount(0);
  const top = await log.evaluate((element) => element.scrollTop);
  await gate.open();
  const more = page.getByRole("button", { name: "10 new lines" });
  await expect(more).toBeVisible();
  expect(await log.evaluate((element) => element.scrollTop)).toBe(top);
  await more.click();
  await expect(line(510)).toBeInViewport();
  await gate.open();
  await expect(line(520)).toBeInViewport();
  await expect(page.getByText("Log complete")).toBeVisible();
});

test("[W41] a part of a log that the control plane lost is marked where it is, with its size", async ({
  page,
  nexus,
}) => {
  const job = await shell(nexus, "seq -f 'line %06g' 1 1000");
  await nexus.ended(job.id);
  // Lines are 12 bytes each. What was lost cannot be asked for, so the answer begins where the log goes on.
  const goneTo = 400 * 12;
  await page.route(`**/api/v1/jobs/${job.id}/log?*`, async (route) => {
    const url = new URL(route.request().url());
    if (Number(url.searchParams.get("offset")) < goneTo) url.searchParams.set("offset", String(goneTo));
    await route.fulfill({ response: await route.fetch({ url: url.href }) });
  });
  await page.goto(`/jobs/${job.id}`);
  const log = page.getByRole("log");
  await expect(log.getByText("line 001000", { exact: true })).toBeInViewport();
  await page.keyboard.press("g");
  await page.keyboard.press("g");
  const gap = log.getByRole("note");
  await expect(gap).toBeInViewport();
  await expect(gap).toContainText("4.7 KiB missing (bytes 0 to 4,800)");
  await expect(log.getByText("line 000401", { exact: true })).toBeInViewport();
});

test("[W31] ANSI colours are colours, and HTML in a log, a name or a label is text", async ({
  page,
  nexus,
}) => {
  const evil = '<img src=x onerror="window.broken=1"><b>bold</b>';
  const job = await nexus.submit({
    name: evil,
    command: [
      "sh",
      "-c",
      String.raw`printf '\033[31mred\033[0m and plain\n'; printf '%s\n' "$0"; printf '\033[2J\033]0;title\007cleared\n'`,
      evil,
    ],
    env: { HTML: "<i>env</i>" },
    target: "plain",
    gpus: 0,
  });
  await nexus.ended(job.id);
  await page.goto(`/jobs/${job.id}`);
  const log = page.getByRole("log");
  const red = log.getByText("red", { exact: true });
  await expect(red).toBeVisible();
  const colours = await red.evaluate((span) => [
    getComputedStyle(span).color,
    getComputedStyle(span.parentElement ?? span).color,
  ]);
  expect(colours[0]).not.toBe(colours[1]);
  await expect(log.getByText("red and plain", { exact: true })).toBeVisible();
  await expect(log.getByText(evil, { exact: true })).toBeVisible();
  await expect(log.getByText(/cleared$/)).toBeVisible();
  await expect(log).not.toContainText(/\[0m|\[2J|title/);
  await page.goto("/jobs");
  await expect(page.getByRole("link", { name: evil })).toBeVisible();
  await expect(page.locator("main img, main b")).toHaveCount(0);
  expect(await page.evaluate(() => "broken" in window)).toBe(false);
});

test("[W31] the raw log is downloaded byte for byte", async ({ page, nexus }) => {
  const job = await shell(
    nexus,
    String.raw`printf '\377\376\000\033[1mraw\r\n'; head -c 300000 /dev/urandom; printf 'no newline at the end'`,
  );
  await nexus.ended(job.id);
  await page.goto(`/jobs/${job.id}`);
  const coming = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download the raw log" }).click();
  const download = await coming;
  expect(download.suggestedFilename()).toContain(job.id);
  const bytes = await readFile(await download.path());
  expect(bytes.equals(await nexus.log(job.id))).toBe(true);
  expect(bytes.length).toBeGreaterThan(300_000);
});

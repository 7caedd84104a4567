import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright/test";
import { expect, SIGNED_OUT, test } from "./fixture.ts";

test("[W35] a person added on the page comes in with the link it shows, in the role it says", async ({
  page,
  browser,
  nexus,
}) => {
  await page.goto("/settings?tab=team");
  await page.getByLabel("Name of the new member").fill("Ada");
  await page.getByLabel("E-mail of the new member").fill("ada@example.com");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await expect(page.getByText("Send Ada this link. It signs in once:")).toBeVisible();
  const link = (await page.getByText(/\/sign-in#link=/).textContent()) ?? "";

  const context = await browser.newContext({ storageState: SIGNED_OUT, baseURL: nexus.url });
  const hers = await context.newPage();
  await hers.goto(link);
  await hers.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Settings" }).click();
  await expect(hers.getByText("default, as member")).toBeVisible();
  await hers.getByRole("radio", { name: "Team" }).click();
  await expect(hers.getByRole("button", { name: "Add", exact: true })).toHaveAttribute(
    "aria-disabled",
    "true",
  );

  await page.getByRole("button", { name: "Remove Ada" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove Ada" }).click();
  await expect(hers).toHaveURL(/\/sign-in/);
  await context.close();

  await page.getByRole("radio", { name: "Audit" }).click();
  const removed = page.getByRole("listitem").filter({ hasText: "member.removed" });
  await expect(removed.first()).toBeVisible();
});

test("[W36] a key made on the page is shown once, signs the CLI in, and is revoked there", async ({
  page,
  nexus,
}) => {
  await page.goto("/settings");
  await page.getByLabel("Name of the new key").fill("laptop");
  await page.getByRole("button", { name: "Create key" }).click();
  await expect(page.getByText("Shown this once.")).toBeVisible();
  const key = (await page.getByRole("main").locator("code").textContent()) ?? "";

  const home = await mkdtemp(join(tmpdir(), "nexus-cli-"));
  const env = { NEXUS_HOME: home };
  try {
    expect(await nexus.cli(["login", nexus.url], { env, input: key }).exit()).toBe(0);
    const listed = nexus.cli(["targets", "list"], { env });
    expect(await listed.exit()).toBe(0);
    expect(listed.stdout).toContain("plain");

    await page.reload();
    await expect(page.getByText("laptop", { exact: true })).toBeVisible();
    expect(await page.content()).not.toContain(key);
    const row = page
      .locator("div")
      .filter({ hasText: /^laptop/ })
      .last();
    await row.getByRole("button", { name: "Revoke" }).click();
    await page
      .getByRole("dialog")
      .getByRole("button", { name: /Revoke/ })
      .click();
    await expect(page.getByText("laptop", { exact: true })).toHaveCount(0);
    const refused = nexus.cli(["targets", "list"], { env });
    expect(await refused.exit()).toBe(77);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
});

test("[W37] a machine is cordoned, renamed, labelled and removed on the page", async ({ page, nexus }) => {
  const agent = await nexus.addAgent({ name: "spare" });
  await page.goto("/");
  const panel = page.getByRole("region", { name: "spare" });
  await act(page, "spare", "Cordon: take no new jobs");
  await expect(panel.getByText("Cordoned")).toBeVisible();
  const job = await nexus.submit({ command: ["true"], target: "spare", gpus: 0 });
  await page.goto(`/jobs/${job.id}`);
  await expect(page.getByText("Cordoned: spare.")).toBeVisible();

  await page.goto("/");
  await act(page, "spare", "Release: take jobs again");
  await expect(panel.getByText("Cordoned")).toHaveCount(0);
  expect((await nexus.ended(job.id)).state).toBe("succeeded");

  await act(page, "spare", "Labels");
  await page.getByRole("dialog").getByLabel("Labels").fill("role=kept");
  await page.keyboard.press("Enter");
  await expect(panel.getByText("role=kept")).toBeVisible();
  await act(page, "spare", "Rename");
  await page.getByRole("dialog").getByLabel("Name").fill("spare-2");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("region", { name: "spare-2" })).toBeVisible();

  await act(page, "spare-2", "Remove from the fleet");
  await page
    .getByRole("dialog")
    .getByRole("button", { name: /^Remove/ })
    .click();
  await expect(page.getByRole("region", { name: "spare-2" })).toHaveCount(0);
  expect(await agent.child.exit()).not.toBe(0);
});

test("[W38] a job is submitted again from its page, as it was or changed", async ({ page, nexus }) => {
  const job = await nexus.submit({
    name: "again",
    command: ["sh", "-c", 'echo "$GREETING, $0"', "reader"],
    env: { GREETING: "hello" },
    target: "plain",
    gpus: 0,
  });
  await nexus.ended(job.id);
  await page.goto(`/jobs/${job.id}`);
  await page.getByRole("link", { name: "Resubmit" }).click();
  await expect(page.getByLabel(/^Name\s*optional$/)).toHaveValue("again");
  await expect(page.getByLabel("Command")).not.toHaveValue("");
  await page.getByRole("button", { name: "Submit", exact: true }).click();
  await expect(page).toHaveURL(/\/jobs\/j_/);
  await expect(page).not.toHaveURL(`/jobs/${job.id}`);
  await expect(page.getByRole("log").getByText("hello, reader", { exact: true })).toBeVisible();
});

async function act(page: Page, target: string, action: string): Promise<void> {
  await page.getByRole("button", { name: `Actions for ${target}`, exact: true }).click();
  await page.getByRole("menuitem", { name: action }).click();
}

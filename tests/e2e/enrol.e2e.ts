import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Locator, Page } from "playwright/test";
import { NexusAgent } from "../harness/nexus.ts";
import { expect, test } from "./fixture.ts";

test("[W26] a machine enrolled with the command of the page appears there while one watches", async ({
  page,
}) => {
  await page.goto("/enroll");
  await page.getByLabel("Name").fill("by-hand");
  await page.getByLabel("Labels").fill("role=fresh");
  await page.getByRole("button", { name: "Make an enrolment token" }).click();
  const command = page.getByText(/^\$ npx nexus-agent enroll \S+$/);
  await expect(command).toBeVisible();
  await expect(page.getByText("Waiting for the machine to dial in…")).toBeVisible();
  const [token = ""] = ((await command.textContent()) ?? "").split(" ").slice(-1);
  await page.evaluate(() => {
    document.body.dataset.sameDocument = "yes";
  });

  const agent = new NexusAgent(await mkdtemp(join(tmpdir(), "nexus-agent-")), {});
  try {
    await agent.enroll(token);
    agent.start();
    const arrived = page.getByRole("listitem").filter({ hasText: "It appears here" });
    await expect(arrived.getByText("by-hand")).toBeVisible();
    await expect(arrived.getByText("Connected", { exact: true })).toBeAttached();
    await expect(page.locator("body")).toHaveAttribute("data-same-document", "yes");

    await page.getByRole("link", { name: "See the fleet" }).click();
    const panel = page.getByRole("region", { name: "by-hand" });
    await expect(panel.getByText("role=fresh")).toBeVisible();

    // The secret is nowhere a second time: not on the page, and not in what the page asks for.
    const listed = page.waitForResponse((response) => response.url().includes("enrollTokens.list"));
    await page.goto("/enroll");
    expect(await (await listed).text()).not.toContain(token);
    await expect(rowOf(page, "by-hand").getByText("Used", { exact: true })).toBeVisible();
    expect(await page.content()).not.toContain(token);
  } finally {
    await agent.dispose();
  }
});

/** The row of the list of tokens. */
function rowOf(page: Page, token: string): Locator {
  const panel = page.locator("section").filter({ has: page.getByRole("heading", { name: "Tokens" }) });
  return panel
    .locator("div")
    .filter({ has: page.getByText(token, { exact: true }) })
    .last();
}

test("[W26] a token is revoked on the page, and then worth nothing", async ({ page }) => {
  await page.goto("/enroll");
  await page.getByLabel("Name").fill("never-came");
  await page.getByRole("button", { name: "Make an enrolment token" }).click();
  const command = page.getByText(/^\$ npx nexus-agent enroll \S+$/);
  const [token = ""] = ((await command.textContent()) ?? "").split(" ").slice(-1);
  await rowOf(page, "never-came").getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke it" }).click();
  await expect(page.getByText("The token was revoked.")).toBeVisible();

  const agent = new NexusAgent(await mkdtemp(join(tmpdir(), "nexus-agent-")), {});
  try {
    await expect(agent.enroll(token)).rejects.toThrow(/enrolment token \S+ was revoked/);
  } finally {
    await agent.dispose();
  }
});

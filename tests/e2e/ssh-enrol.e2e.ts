import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fingerprintOf } from "@nexus/ssh/host-keys/public-key";
import { newTestKey } from "@nexus/ssh/testing/test-keys";
import { startTestSshd, type TestSshd } from "@nexus/ssh/testing/test-sshd";
import type { Page } from "playwright/test";
import { expect, test } from "./fixture.ts";

async function fillForm(page: Page, machine: TestSshd, name: string): Promise<void> {
  await page.goto("/enroll?by=ssh");
  await page
    .getByRole("textbox", { name: "Machines" })
    .fill(`${machine.user}@127.0.0.1:${machine.port} ${name}`);
  await page.getByRole("textbox", { name: "Private key" }).fill(machine.userKey.privateKey);
  await page.getByLabel("Let jobs run as root, where you log in as root").check();
}

async function enrol(page: Page, machine: TestSshd, name: string): Promise<void> {
  await fillForm(page, machine, name);
  await page.getByRole("button", { name: "Enrol over SSH" }).click();
}

test("[E41] a machine is enrolled over SSH on the page: its key confirmed, its transcript live, no secret on it", async ({
  page,
  nexus,
}) => {
  const machine = await startTestSshd();
  try {
    await enrol(page, machine, "by-ssh");
    const question = page.getByRole("region", { name: `The key of [127.0.0.1]:${machine.port}` });
    await expect(question.getByText(fingerprintOf(machine.hostKey))).toBeVisible();
    await question.getByRole("button", { name: "It is, go on" }).click();
    const transcript = page.getByRole("log");
    await expect(transcript.getByText("by-ssh is connected.")).toBeVisible({ timeout: 60_000 });
    await expect(page.getByText("1 of 1 machine connected")).toBeVisible();
    await expect(page.getByText("[127.0.0.1]:", { exact: false }).last()).toBeVisible();
    expect(await page.content()).not.toContain("PRIVATE KEY-----\n");
    // The page that is loaded anew shows the same work.
    await page.reload();
    await expect(page.getByRole("log").getByText("by-ssh is connected.")).toBeVisible();

    // The machine shows another key: refused, and replaced by a person who says why.
    const other = newTestKey("other");
    writeFileSync(join(machine.folder, "host_key"), other.privateKey, { mode: 0o600 });
    await page.getByRole("button", { name: "Enrol others" }).click();
    await enrol(page, machine, "by-ssh");
    await expect(
      page.getByRole("log").getByText("is not the one that is known", { exact: false }),
    ).toBeVisible();
    await page.getByRole("button", { name: "Replace its key", exact: true }).click();
    const dialog = page.getByRole("dialog");
    await expect(dialog.getByText(fingerprintOf(other.publicKey))).toBeVisible();
    await dialog.getByLabel("Why it changed").fill("set up anew");
    await dialog.getByRole("button", { name: "Replace it" }).click();
    await expect(dialog).toBeHidden();
    await enrol(page, machine, "by-ssh");
    await expect(page.getByRole("log").getByText("by-ssh is connected.")).toBeVisible({ timeout: 60_000 });
  } finally {
    await nexus.call("targets.remove", { target: "by-ssh", force: true }).catch(() => undefined);
    const held = join(machine.home, ".nexus-agent/keep-running.pid");
    if (existsSync(held)) process.kill(Number(readFileSync(held, "utf8")), "SIGTERM");
    await machine.close();
  }
});

test("[E60] a machine is added without an agent, and how it is reached is shown, with its key, which is changed", async ({
  page,
  nexus,
}) => {
  const machine = await startTestSshd();
  try {
    await fillForm(page, machine, "bare");
    await page.getByRole("radio", { name: "Nothing but a key" }).click();
    await expect(page.getByText("no job begins", { exact: false })).toBeVisible();
    await page.getByRole("button", { name: "Add without an agent" }).click();
    await page.getByRole("button", { name: "It is, go on" }).click();
    await expect(page.getByRole("log").getByText("Added bare", { exact: false })).toBeVisible();
    await expect(page.getByText("1 of 1 machine connected")).toBeVisible({ timeout: 60_000 });
    const way = page.getByRole("region", { name: "The way to bare" });
    await expect(way.getByText("agentless")).toBeVisible();
    await expect(way.getByText(`direct 127.0.0.1:${machine.port}`)).toBeVisible();
    await expect(way.getByText("Works")).toBeVisible();
    const before = await way.getByText(/^SHA256:/).textContent();
    await way.getByRole("button", { name: "Change its key" }).click();
    await expect(page.getByText("1 of 1 machine with a new key")).toBeVisible({ timeout: 30_000 });
    await expect(way.getByText(/^SHA256:/)).not.toHaveText(before ?? "");
  } finally {
    await nexus.call("targets.remove", { target: "bare", force: true }).catch(() => undefined);
    await machine.close();
  }
});

import { expect, invite, pageOf, test } from "./fixture.ts";

// A target that is not there is refused, and the browser says so in its console.
test.use({ expectedFaults: /404 .*queues\.put/ });

test("[W39] a queue is made, limited, paused and resumed on its page, and its jobs say what they wait for", async ({
  page,
  nexus,
}) => {
  await page.goto("/queues");
  await page.getByRole("button", { name: "New queue" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("Not a name");
  await expect(dialog.getByRole("alert")).toContainText("1 to 63 of");
  await dialog.getByLabel("Name").fill("night");
  await dialog.getByLabel("Priority").fill("high");
  await expect(dialog.getByRole("alert")).toHaveText("A whole number.");
  await dialog.getByLabel("Priority").fill("-5");
  await dialog.getByLabel("Jobs at once").fill("2");
  await dialog.getByRole("checkbox").click();
  await dialog.getByRole("button", { name: "Make queue" }).click();

  const night = page.getByRole("region", { name: "Queue night" });
  await expect(night).toContainText("paused");
  await expect(night).toContainText("0 of 2");
  await expect(night).toContainText("Nobody waits");
  const job = await nexus.submit({ command: ["true"], queue: "night", target: "plain", gpus: 0 });
  await expect(night.getByRole("link", { name: "1", exact: true })).toBeVisible();
  await expect(night.locator(`a[href="/jobs/${job.id}"]`)).toBeVisible();
  expect(await nexus.job(job.id)).toMatchObject({ state: "queued", reason: { code: "queue_paused" } });

  await night.getByRole("button", { name: "Resume night" }).click();
  await expect(night).not.toContainText("paused");
  await nexus.ended(job.id);
  await expect(night).toContainText("Nobody waits");
  await night.getByRole("button", { name: "Edit night" }).click();
  await dialog.getByLabel("Jobs at once").fill("");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(night).toContainText("Running: 0");
  expect(await nexus.call("queues.list", undefined)).toContainEqual(
    expect.objectContaining({ name: "night", priority: -5, runningMax: null, paused: false }),
  );
});

test("[W39] where its jobs run and what a person may have are set on its page, and what is in it goes on elsewhere when it is removed", async ({
  page,
  nexus,
}) => {
  await nexus.call("queues.put", { name: "research", paused: true });
  await page.goto("/queues");
  const research = page.getByRole("region", { name: "Queue research" });
  await research.getByRole("button", { name: "Edit research" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("GPUs at once").fill("4");
  await dialog.getByLabel("GPUs a person").fill("2");
  await dialog.getByLabel("Only on labels").fill("role=none such!");
  await expect(dialog.getByRole("alert")).toContainText("a label's name has");
  await dialog.getByLabel("Only on labels").fill("role=none");
  await dialog.getByLabel("Only on targets").fill("nowhere");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog).toContainText("There is no target nowhere");
  await dialog.getByLabel("Only on targets").fill("");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(research).toContainText("Only on role=none (no target matches) · at most 2 GPUs a person");
  await expect(research).toContainText("0 of 4");
  await research.getByRole("button", { name: "Resume research" }).click();
  await expect(research).not.toContainText("paused");
  const job = await nexus.submit({ command: ["true"], queue: "research", target: "plain", gpus: 0 });
  expect(await nexus.job(job.id)).toMatchObject({ state: "queued", reason: { code: "queue_selector" } });

  await expect(research.locator(`a[href="/jobs/${job.id}"]`)).toBeVisible();
  await research.getByRole("button", { name: "Remove research" }).click();
  await expect(dialog).toContainText("1 waiting, 0 running");
  await dialog.getByRole("button", { name: "Remove queue" }).click();
  await expect(research).toHaveCount(0);
  expect(await nexus.ended(job.id)).toMatchObject({ state: "succeeded", queue: "default" });
  const line = page.getByRole("region", { name: "Queue default" });
  await line.getByRole("button", { name: "Remove default" }).hover();
  await expect(page.getByRole("tooltip")).toContainText("Jobs that name no queue join it");
});

test("[W39] who may not change queues is told why", async ({ browser, nexus }) => {
  const { link } = await invite(nexus, "looks-at-queues", "viewer");
  const page = await pageOf(browser, nexus, link);
  await page.goto("/queues");
  const button = page.getByRole("button", { name: "New queue" });
  await expect(button).toHaveAttribute("aria-disabled", "true");
  await button.hover();
  await expect(page.getByRole("tooltip")).toContainText("needs the role admin");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await page.context().close();
});

test.describe("on a phone", () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true });

  test("[W40] jobs are selected and cancelled together, and More leads to every page", async ({
    page,
    nexus,
  }) => {
    const ids = [];
    for (const name of ["phone one", "phone two"]) {
      ids.push((await nexus.submit({ name, command: ["sleep", "600"], target: "plain", gpus: 0 })).id);
    }
    await page.goto("/jobs?q=phone");
    await page.getByRole("button", { name: "Select" }).tap();
    await page.getByRole("row", { name: "phone one" }).tap();
    await page.getByRole("row", { name: "phone two" }).tap();
    await expect(page).toHaveURL("/jobs?q=phone");
    await expect(page.getByText("2 selected")).toBeVisible();
    await page.getByRole("button", { name: "Cancel" }).tap();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel 2 jobs" }).tap();
    for (const id of ids) expect(await nexus.ended(id)).toMatchObject({ state: "cancelled" });
    await page.getByRole("button", { name: "More", exact: true }).tap();
    await page.getByRole("option", { name: "Settings" }).tap();
    await expect(page).toHaveURL("/settings");
  });
});

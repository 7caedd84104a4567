import { expect, invite, pageOf, test } from "./fixture.ts";

const inTable = "Jobs";

test("[W22] a job submitted in the browser streams its log there, and shows how it ended", async ({
  page,
  gate,
}) => {
  await page.goto("/submit?target=plain");
  await page.getByLabel("Command").fill(`echo begun; ${gate.wait}; echo over; exit 7`);
  await page.getByLabel("Run in a shell").click();
  await page.getByLabel("GPUs").fill("0");
  await expect(page.getByText("Runs now on plain, without a GPU")).toBeVisible();
  await page.getByRole("button", { name: "Submit", exact: true }).click();

  await expect(page).toHaveURL(/\/jobs\/j_/);
  const log = page.getByRole("log");
  await expect(log.getByText("begun", { exact: true })).toBeVisible();
  await expect(log.getByText("over", { exact: true })).toHaveCount(0);
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await gate.open();
  await expect(log.getByText("over", { exact: true })).toBeVisible();
  await expect(page.getByText("Log complete")).toBeVisible();
  await expect(page.getByText("Failed.", { exact: true })).toBeVisible();
  await expect(page.getByText("code 7")).toBeVisible();
});

test("[W34] Ctrl and Enter submit from every field, also from the checkbox", async ({ page }) => {
  await page.goto("/submit?target=plain");
  await page.getByLabel("Command").fill("echo by the keys");
  await page.getByLabel("GPUs").fill("0");
  await page.getByLabel("Run in a shell").focus();
  await page.keyboard.press("Control+Enter");
  await expect(page).toHaveURL(/\/jobs\/j_/);
});

test("[W44] what is built for use has no gallery", async ({ nexus }) => {
  expect((await fetch(`${nexus.url}/dev/gallery`)).status).toBe(404);
});

test("[W22] the cancel button ends a running job", async ({ page, nexus }) => {
  const job = await nexus.submit({ command: ["sleep", "1000"], target: "plain", gpus: 0 });
  await page.goto(`/jobs/${job.id}`);
  await expect(page.getByTitle("Its process runs on the target.")).toBeVisible();
  await page.getByRole("button", { name: "Cancel" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("gets TERM");
  await dialog.getByRole("button", { name: "Cancel the job" }).click();
  await expect(page.getByTitle("A person ended it.")).toBeVisible();
  expect((await nexus.ended(job.id)).state).toBe("cancelled");
  await expect(page.getByRole("button", { name: "Cancel" })).toHaveAttribute("aria-disabled", "true");
});

test("[W23] a run of the CLI appears in an open list, with its log", async ({ page, nexus }) => {
  await page.goto("/jobs");
  await expect(page.getByRole("heading", { name: "Jobs" })).toBeVisible();
  const run = nexus.cli([
    "run",
    "-t",
    "plain",
    "--name",
    "from-the-shell",
    "--",
    "echo",
    "said by the CLI's job",
  ]);
  expect(await run.exit()).toBe(0);
  expect(run.stdout).toContain("said by the CLI's job");
  await page.getByRole("table", { name: inTable }).getByRole("link", { name: "from-the-shell" }).click();
  await expect(page.getByRole("log").getByText("said by the CLI's job", { exact: true })).toBeVisible();
});

test("[W24] filters stand in the address, and what they show can be cancelled together", async ({
  page,
  nexus,
}) => {
  const names = ["sweep-1", "sweep-2", "sweep-3"];
  await nexus.call("jobs.submit", {
    jobs: [...names, "other"].map((name) => ({
      name,
      command: ["sleep", "1000"],
      target: "plain",
      gpus: 0,
    })),
  });
  await page.goto("/jobs");
  const table = page.getByRole("table", { name: inTable });
  await expect(table.getByRole("link", { name: "other", exact: true })).toBeVisible();
  await page.getByLabel("Filter jobs").fill("sweep-");
  await expect(table.getByRole("link", { name: "other", exact: true })).toHaveCount(0);
  await expect(page).toHaveURL(/[?&]q=sweep-/);
  await page.getByRole("tab", { name: "Running" }).click();
  await expect(page).toHaveURL(/view=active/);
  const rows = table.locator("tbody").getByRole("row");
  await expect(rows).toHaveCount(3);

  await page.reload();
  await expect(page.getByLabel("Filter jobs")).toHaveValue("sweep-");
  await expect(rows).toHaveCount(3);

  await page.getByRole("checkbox", { name: "Select all rows" }).click();
  await expect(page.getByText("3 selected")).toBeVisible();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel 3 jobs" }).click();
  await expect(page.getByText("3 jobs told to end")).toBeVisible();
  await expect(rows).toHaveCount(0);
  await page.getByRole("tab", { name: "All" }).click();
  await expect(rows.getByText("Cancelled", { exact: true })).toHaveCount(3);

  const { jobs } = await nexus.call("jobs.list", { text: "other", states: ["running"] });
  expect(jobs).toHaveLength(1);
  await nexus.call("jobs.cancel", { jobs: jobs.map(({ id }) => id) });
});

test.describe("a viewer", () => {
  test.use({ expectedFaults: /status of 403/ });

  test("[W25] cannot submit or cancel: each button says why, and the server refuses it too", async ({
    browser,
    nexus,
  }) => {
    const job = await nexus.submit({ command: ["sleep", "1000"], target: "plain", gpus: 0 });
    const { link } = await invite(nexus, "watcher", "viewer");
    const page = await pageOf(browser, nexus, link);

    await page.goto("/submit");
    const button = page.getByRole("button", { name: "Submit", exact: true });
    await expect(button).toHaveAttribute("aria-disabled", "true");
    await button.hover();
    await expect(page.getByRole("tooltip")).toHaveText("This needs the role member; yours is viewer.");
    await page.getByLabel("Command").fill("true");
    await page.keyboard.press("Control+Enter");

    await page.goto(`/jobs/${job.id}`);
    const cancel = page.getByRole("button", { name: "Cancel" });
    await expect(cancel).toHaveAttribute("aria-disabled", "true");
    await cancel.hover();
    await expect(page.getByRole("tooltip")).toHaveText("This needs the role member; yours is viewer.");

    const refused = await page.request.post("/api/trpc/jobs.submit", {
      headers: { origin: nexus.url },
      data: { jobs: [{ command: ["true"] }] },
    });
    expect(refused.status()).toBe(403);
    expect(await refused.json()).toMatchObject({ error: { data: { nexusCode: "forbidden" } } });
    const mine = await nexus.call("jobs.list", { text: "true" });
    expect(mine.jobs.filter(({ user }) => user.name === "watcher")).toEqual([]);
    await page.context().close();
    await nexus.call("jobs.cancel", { jobs: [job.id] });
  });
});

import { expect, test } from "./fixture.ts";
import { showLargeFleet } from "./large-fleet.ts";

test("[W27] a GPU's cell is live and labelled simulated, and names who holds it", async ({ page, nexus }) => {
  await page.goto("/");
  const lab = page.getByRole("region", { name: "lab" });
  await expect(lab.getByText("simulated", { exact: true })).toBeVisible();
  await expect(lab.getByText("free", { exact: true })).toHaveCount(4);

  const job = await nexus.submit({ command: ["sleep", "1000"], target: "lab", gpus: 1 });
  const { gpuUuids } = await nexus.inState(job.id, "running");
  expect(gpuUuids).toHaveLength(1);
  await expect(lab.locator(`a[href="/jobs/${job.id}"]`)).toBeVisible();
  await expect(lab.getByText("free", { exact: true })).toHaveCount(3);
  // The memory of a GPU that was free grows on the screen, untouched.
  await expect(lab.getByText(/: [1-9][\d.]* of 80 GiB memory used/)).toBeAttached();

  await lab.getByRole("button", { name: "GPU 0" }).click();
  const details = page.getByRole("dialog", { name: "GPU 0" });
  await expect(details.getByText(job.id)).toBeVisible();
  await details.getByRole("link", { name: job.id }).click();
  await expect(page).toHaveURL(`/jobs/${job.id}`);

  await nexus.call("jobs.cancel", { jobs: [job.id] });
  await page.getByRole("link", { name: "Fleet" }).first().click();
  await expect(lab.getByText("free", { exact: true })).toHaveCount(4);
});

test("[W27] jobs beyond the GPUs wait on the screen with their reason", async ({ page, nexus }) => {
  const { jobs } = await nexus.call("jobs.submit", {
    jobs: Array.from({ length: 5 }, (_, index) => ({
      name: `crowd-${index + 1}`,
      command: ["sleep", "1000"],
      target: "lab",
      gpus: 1,
    })),
  });
  await page.goto("/jobs?q=crowd-");
  const rows = page.getByRole("table", { name: "Jobs" }).locator("tbody").getByRole("row");
  await expect(rows.getByText("Running", { exact: true })).toHaveCount(4);
  await expect(rows.getByText("Queued", { exact: true })).toHaveCount(1);
  await expect(rows.filter({ hasText: "Queued" })).toContainText(/GPU/);
  const { jobs: running } = await nexus.call("jobs.list", { text: "crowd-", states: ["running"] });
  expect(new Set(running.flatMap(({ gpuUuids }) => gpuUuids)).size).toBe(4);
  await nexus.call("jobs.cancel", { jobs: jobs.map(({ id }) => id) });
  await expect(rows.getByText("Cancelled", { exact: true })).toHaveCount(5);
});

test("[W28] a machine whose agent is killed turns unreachable on the screen, and comes back", async ({
  page,
  world,
}) => {
  const { nexus, lab } = world;
  const job = await nexus.submit({ command: ["sleep", "1000"], target: "lab", gpus: 1 });
  await nexus.inState(job.id, "running");
  await page.goto("/");
  const panel = page.getByRole("region", { name: "lab" });
  await expect(panel.getByText("Connected", { exact: true })).toBeAttached();
  await lab.kill("SIGKILL");
  await expect(panel.getByText("Unreachable", { exact: true })).toBeAttached();
  await expect(panel.locator(`a[href="/jobs/${job.id}"]`)).toBeVisible();
  await nexus.inState(job.id, "unreachable");
  lab.start();
  await expect(panel.getByText("Connected", { exact: true })).toBeAttached();
  expect(await nexus.inState(job.id, "running")).toMatchObject({ attemptNumber: 1 });
  await nexus.call("jobs.cancel", { jobs: [job.id] });
  await nexus.ended(job.id);
});

test("[W48] the page of a job whose node is silent puts it back in the line, and says what that means", async ({
  page,
  world,
}) => {
  const { nexus, lab } = world;
  await page.goto("/submit");
  await page.getByLabel("Command", { exact: true }).fill("sleep 1000");
  await page.getByLabel("Start it again").fill("3");
  await page.getByLabel("After a silence of").fill("12h");
  await expect(page.getByText("may still run there, so two may overlap")).toBeVisible();
  await page.getByRole("button", { name: "Submit", exact: true }).click();
  await expect(page).toHaveURL(/\/jobs\/j_/);
  const id = new URL(page.url()).pathname.split("/").at(-1) ?? "";
  await nexus.inState(id, "running");
  await expect(page.getByText("again, up to 3 times, when its node is silent for 12h")).toBeVisible();
  const again = page.getByRole("button", { name: "Queue again" });
  await expect(again).toHaveCount(0);
  await lab.kill("SIGKILL");
  await again.click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("lab is silent, and what it began there may still run");
  await dialog.getByRole("button", { name: "Give that up and queue it again" }).click();
  await expect(page.getByText("Queued", { exact: true }).first()).toBeVisible();
  await expect(page.getByText(/Put back into the line: gave up try 1 on lab/)).toBeVisible();

  lab.start();
  // Nobody else could take it meanwhile, so that what ran goes on.
  expect(await nexus.inState(id, "running")).toMatchObject({ attemptNumber: 1 });
  await expect(page.getByText(/Heard of again: its node is back before it was started anew/)).toBeVisible();
  await nexus.call("jobs.cancel", { jobs: [id] });
  await nexus.ended(id);
});

test("[W43] a fleet of 200 machines with 8 GPUs each is live with few of them in the page, and nothing moves", async ({
  page,
  nexus,
}) => {
  const { targets } = await nexus.call("fleet.list", undefined);
  const like = targets.find(({ name }) => name === "lab");
  if (!like) throw new Error("the fixture has no lab");
  const fleet = await showLargeFleet(page, { ...like, state: "connected" }, { machines: 200, gpus: 8 });
  await page.goto("/");
  const first = page.getByRole("region", { name: "rack-0-node-0", exact: true });
  await expect(first).toBeVisible();
  await expect(page.getByText("of 1600")).toBeVisible();
  await page.evaluate(() => {
    const moved = window as unknown as { movedBy: number };
    moved.movedBy = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) moved.movedBy += (entry as unknown as { value: number }).value;
    }).observe({ type: "layout-shift" });
  });
  for (let round = 1; round <= 8; round += 1) fleet.sample(round, 4);
  await expect(first).toContainText(`${(8 * 3) % 100}%`);
  expect(await page.evaluate(() => (window as unknown as { movedBy: number }).movedBy)).toBeLessThan(0.01);
  expect(await page.getByRole("region").count()).toBeLessThan(20);
  expect(await page.evaluate(() => document.querySelectorAll("*").length)).toBeLessThan(5000);

  await page.keyboard.press("Control+k");
  await page.keyboard.type("rack-19-node-3");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("region", { name: "rack-19-node-3", exact: true })).toBeInViewport();
  await expect(first).toHaveCount(0);
  await page.getByRole("radio", { name: "A row per target" }).click();
  await expect(page.getByText("rack-19-node-3", { exact: true })).toBeInViewport();
  expect(await page.evaluate(() => document.querySelectorAll("*").length)).toBeLessThan(5000);
});

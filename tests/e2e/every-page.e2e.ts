/** What holds on every page: it fits a phone, it names its controls, it reports no fault whatever is pressed, keys work. */
import type { Page } from "playwright/test";
import { faintTexts } from "./contrast.ts";
import { expect, SIGNED_OUT, test } from "./fixture.ts";

const PAGES = [
  { path: "/", heading: "Fleet" },
  { path: "/jobs", heading: "Jobs" },
  { path: "/jobs/:job", heading: "seen everywhere" },
  { path: "/queues", heading: "Queues" },
  { path: "/submit", heading: "Submit a job" },
  { path: "/enroll", heading: "Enrol a machine" },
  { path: "/settings", heading: "Settings" },
  { path: "/settings?tab=team", heading: "Settings" },
  { path: "/settings?tab=audit", heading: "Settings" },
];

/** A table's rows are alike: those that follow say nothing new. */
const BUTTONS_MAX = 24;

let jobId = "";
test.beforeAll(async ({ world: { nexus } }) => {
  const job = await nexus.submit({
    name: "seen everywhere",
    command: ["sh", "-c", `echo ${"a very long line ".repeat(40)}; nvidia-smi; exit 3`],
    env: { A_VERY_LONG_NAME_OF_A_VARIABLE: "x".repeat(200) },
    target: "lab",
    gpus: 1,
  });
  await nexus.ended(job.id);
  jobId = job.id;
});

async function open(page: Page, { path, heading }: (typeof PAGES)[number]): Promise<void> {
  await page.goto(path.replace(":job", jobId));
  await expect(page.getByRole("heading", { level: 1, name: heading })).toBeVisible();
  await expect(page.getByRole("status", { name: /^Loading/ })).toHaveCount(0);
}

test.describe("on a phone", () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true });

  test("[W32] no page is wider than the screen", async ({ page }) => {
    for (const one of PAGES) {
      await open(page, one);
      expect(await page.evaluate(whatSticksOut), one.path).toEqual([]);
    }
    await page.goto(`/jobs/${jobId}`);
    await page.getByRole("radio", { name: "Details" }).click();
    await expect(page.getByText("Timeline")).toBeVisible();
    expect(await page.evaluate(whatSticksOut), "details of a job").toEqual([]);
    const bar = page.getByRole("navigation", { name: "Main" });
    await bar.getByRole("link", { name: "Jobs" }).tap();
    await expect(page).toHaveURL("/jobs");
  });

  test.describe("signed out", () => {
    test.use({ storageState: SIGNED_OUT });
    test("[W32] nor is the sign-in page", async ({ page }) => {
      await page.goto("/sign-in");
      await expect(page.getByLabel("E-mail")).toBeVisible();
      expect(await page.evaluate(whatSticksOut)).toEqual([]);
    });
  });
});

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(`in the ${colorScheme} theme`, () => {
    test.use({ colorScheme });

    test("[W42] every text stands out from what is behind it", async ({ page, nexus }) => {
      await nexus.submit({ name: "waits", command: ["true"], target: "lab", gpus: 99 });
      for (const one of PAGES) {
        await open(page, one);
        expect(await page.evaluate(faintTexts), one.path).toEqual([]);
      }
      await page.keyboard.press("Control+k");
      await expect(page.getByRole("dialog")).toBeVisible();
      await expect.poll(() => page.evaluate(faintTexts)).toEqual([]);
    });
  });
}

test("[W33] every control has a name, and every page one heading and a title", async ({ page }) => {
  for (const one of PAGES) {
    await open(page, one);
    expect(await page.title(), one.path).not.toBe("");
    await expect(page.getByRole("heading", { level: 1 })).toHaveCount(1);
    const controls = (await page.locator("body").ariaSnapshot()).split("\n");
    const nameless = controls.filter((line) =>
      /^\s*- (button|link|textbox|combobox|checkbox|tab|radio|menuitem|img|dialog)(?=[ :]|$)(?! ")/.test(
        line,
      ),
    );
    expect(nameless, one.path).toEqual([]);
    const ids = await page.evaluate(() => Array.from(document.querySelectorAll("[id]"), ({ id }) => id));
    expect(
      ids.filter((id, index) => ids.indexOf(id) !== index),
      one.path,
    ).toEqual([]);
  }
});

test("[W33] pressing every button of every page reports no fault", async ({ page }) => {
  test.slow();
  for (const one of PAGES) {
    await open(page, one);
    const address = page.url();
    const buttons = page.getByRole("main").locator("button:visible, summary:visible");
    // Pressing one may add or take away others.
    for (let index = 0; index < Math.min(await buttons.count(), BUTTONS_MAX); index++) {
      const button = buttons.nth(index);
      if ((await button.textContent())?.trim() === "Sign out") continue;
      // One that is off takes a press too, and says why.
      const isOff = (await button.getAttribute("aria-disabled")) === "true";
      const name = await button.getAttribute("aria-label");
      await button.click({ force: isOff });
      // The tests after this one have jobs in that queue.
      if (name?.startsWith("Pause ")) {
        await page.getByRole("button", { name: name.replace("Pause", "Resume"), exact: true }).click();
      }
      const overlay = page.locator("[role=dialog], [role=menu], [role=listbox]");
      while ((await overlay.count()) > 0) {
        await page.keyboard.press("Escape");
        await expect(overlay.and(page.locator("[data-state=closed]"))).toHaveCount(0);
      }
      if (page.url().split(/[?#]/)[0] !== address.split(/[?#]/)[0]) await open(page, one);
    }
  }
});

test("[W34] keys lead everywhere: g j, /, ?, and the palette", async ({ page, nexus }) => {
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1, name: "Fleet" })).toBeVisible();
  await page.keyboard.press("g");
  await page.keyboard.press("j");
  await expect(page).toHaveURL("/jobs");
  await expect(page.getByRole("heading", { level: 1, name: "Jobs" })).toBeVisible();
  await page.keyboard.press("/");
  await expect(page.getByLabel("Filter jobs")).toBeFocused();
  await page.keyboard.type("g f everywhere");
  await expect(page).toHaveURL(/\/jobs\?q=/);
  await page.keyboard.press("Escape");

  await page.keyboard.press("?");
  const sheet = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await expect(sheet.getByText("Filter jobs")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(sheet).toHaveCount(0);

  await page.keyboard.press("Control+k");
  const palette = page.getByRole("dialog", { name: "Commands" });
  await page.keyboard.type("seen every");
  await expect(palette.getByRole("option", { name: /seen everywhere/ })).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(`/jobs/${jobId}`);
  await expect(palette).toHaveCount(0);
  expect((await nexus.job(jobId)).name).toBe("seen everywhere");
});

/** Elements that reach past the screen's right edge and are not cut off by a box that scrolls or clips on purpose. */
function whatSticksOut(): string[] {
  const width = document.documentElement.clientWidth;
  const contains = (element: Element): boolean => {
    const box = element.parentElement;
    if (!box || box === document.body) return false;
    const clips = getComputedStyle(box).overflowX !== "visible";
    return (
      (clips && box.getBoundingClientRect().right <= width + 1 && box.clientWidth < width) || contains(box)
    );
  };
  const wide = Array.from(document.querySelectorAll("body *")).filter((element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && box.right > width + 1 && !contains(element);
  });
  const scrolls = document.documentElement.scrollWidth > width ? ["the document"] : [];
  return [...scrolls, ...wide.map((element) => element.outerHTML.slice(0, 200))];
}

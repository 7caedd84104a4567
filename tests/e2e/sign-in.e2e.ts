import { expect, invite, SIGNED_OUT, test } from "./fixture.ts";

test.use({ storageState: SIGNED_OUT, expectedFaults: /status of 401|ws\/ui/ });

test("[W20] a one-time link signs in, and its secret leaves the address and the history", async ({
  page,
  nexus,
}) => {
  const { link } = await invite(nexus, "linked", "member");
  const secret = link.split("#link=")[1] ?? "";
  await page.goto(link);
  await expect(page.getByRole("heading", { name: "Fleet" })).toBeVisible();
  await expect(page).toHaveURL("/");
  const entries = await page.evaluate(() => window.navigation.entries().map((entry) => entry.url));
  expect(entries.join(" ")).toContain(nexus.url);
  expect(entries.join(" ")).not.toContain(secret);
});

test("[W20] a link that was used, changed or cut says so, and leads to the form and to a new link", async ({
  page,
  nexus,
  browser,
}) => {
  const { link } = await invite(nexus, "used", "member");
  const first = await browser.newPage();
  await first.goto(link);
  await expect(first.getByRole("heading", { name: "Fleet" })).toBeVisible();
  await first.context().close();

  for (const dead of [link, `${link}.`, `${nexus.url}/sign-in#link=`]) {
    await page.goto("about:blank");
    await page.goto(dead);
    const alert = page.getByRole("alert").filter({ hasText: "was used before or has expired" });
    await expect(alert).toContainText("How to get a new one stands below.");
    await expect(alert).not.toContainText("unauthenticated");
    await expect(page.getByText("Ask an admin of your team for one.")).toBeVisible();
    await expect(page.getByText("npm run up")).toBeVisible();
    await expect(page.getByLabel("E-mail")).toBeVisible();
    await expect(page).toHaveURL("/sign-in");
  }
  await page.goto("/sign-in");
  await expect(page.getByText("npm run up")).toBeHidden();
  await page.getByText("No password?").click();
  await expect(page.getByText("npm run up")).toBeVisible();
});

test("[W21] who is signed out is sent to sign in, and from there to where they wanted to go", async ({
  page,
  nexus,
}) => {
  const { email, link } = await invite(nexus, "mina", "member");
  const password = "a long enough password";

  await page.goto(link);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Settings" }).click();
  await page.getByLabel("New password").fill(password);
  await page.getByRole("button", { name: "Change password" }).click();
  await expect(page.getByText("Password changed")).toBeVisible();
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL("/sign-in");

  await page.goto("/jobs?view=failed");
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill("not that password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "Check both" })).toBeVisible();

  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL("/jobs?view=failed");
  await expect(page.getByRole("tab", { name: "Failed" })).toHaveAttribute("aria-selected", "true");
});

test("[W21] a session that is ended elsewhere leaves an open page at once", async ({ page, nexus }) => {
  const { link } = await invite(nexus, "removed", "member");
  await page.goto(link);
  await expect(page.getByRole("heading", { name: "Fleet" })).toBeVisible();
  const members = await nexus.call("members.list", undefined);
  const userId = members.find(({ name }) => name === "removed")?.userId ?? "";
  await nexus.call("members.remove", { userId });
  await expect(page).toHaveURL(/\/sign-in/);
});

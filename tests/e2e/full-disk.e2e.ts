import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { ACTIVE_JOB_STATES } from "@nexus/shared/machines/job";
import { canMount, mountDisk } from "../../apps/web/src/server/logs/testing/small-disk.ts";
import { until } from "../harness/until.ts";
import { expect, test } from "./fixture.ts";

test.skip(!canMount(), "mounts a disk");

test("[W47] a full disk is told where people look, and what it cost stays told", async ({
  page,
  nexus,
  gate,
}) => {
  const disk = mountDisk("size=16m");
  const filler = join(disk.path, "filler");
  const agent = await nexus.addAgent({ name: "narrow", home: join(disk.path, "home") });
  try {
    const running = await nexus.submit({
      command: ["sh", "-c", `echo begun; ${gate.wait}; echo kept`],
      target: "narrow",
      gpus: 0,
    });
    await page.goto(`/jobs/${running.id}`);
    await expect(page.getByRole("log").getByText("begun", { exact: true })).toBeVisible();
    fill(filler);
    const lost = page.getByText(
      "The disk of narrow was full while it ran: output may be missing from byte 6 on.",
    );
    await expect(lost).toBeVisible();
    const waiting = await nexus.submit({ command: ["true"], target: "narrow", gpus: 0 });
    await page.goto(`/jobs/${waiting.id}`);
    await expect(page.getByText(/node narrow refuses starts: its disk is full/i)).toBeVisible();
    await page.goto("/");
    await expect(page.getByText(/It refuses starts: its disk is full/)).toBeVisible();

    rmSync(filler);
    await expect(page.getByText(/It refuses starts: its disk is full/)).toHaveCount(0);
    expect((await nexus.ended(waiting.id)).state).toBe("succeeded");
    await gate.open();
    await nexus.ended(running.id);
    await page.goto(`/jobs/${running.id}`);
    await expect(page.getByRole("log").getByText("kept", { exact: true })).toBeVisible();
    await expect(lost).toBeVisible();
    await page.getByRole("button", { name: "Show" }).click();
    await expect(page).toHaveURL(/#bytes=6$/);
  } finally {
    rmSync(filler, { force: true });
    const { jobs } = await nexus.call("jobs.list", { target: "narrow", states: [...ACTIVE_JOB_STATES] });
    for (const { id } of jobs) {
      await nexus.call("jobs.cancel", { jobs: [id] });
      await nexus.ended(id);
    }
    await nexus.call("targets.remove", { target: "narrow", force: true });
    await agent.kill("SIGTERM");
    await until("the disk is free", async () => {
      disk.unmount();
      return true;
    });
  }
});

/** Until the disk takes no more. */
function fill(path: string): void {
  const fd = openSync(path, "w");
  try {
    for (;;) writeSync(fd, Buffer.alloc(4096));
  } catch (error) {
    expect(error).toMatchObject({ code: "ENOSPC" });
  } finally {
    closeSync(fd);
  }
}

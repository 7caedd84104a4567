/// <reference lib="dom" />
/**
 * A browser in front of a whole Nexus. Owns the Nexus of a worker (control plane, a machine without GPUs named `plain`, a
 * machine with four simulated GPUs named `lab`), the sessions made from sign-in links, and the faults that a page reports.
 * Tests share the Nexus, so each names what it makes. A test fails when its page reported a fault that it did not expect.
 * What tests evaluate in the page sees a document, hence its types.
 */
import { execFile } from "node:child_process";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ACTIVE_JOB_STATES } from "@nexus/shared/machines/job";
import type { Role } from "@nexus/shared/roles";
import { type Browser, test as base, expect, type Page, request } from "playwright/test";
import { Nexus, type NexusAgent } from "../harness/nexus.ts";

export { expect };

type Session = Awaited<ReturnType<Awaited<ReturnType<typeof request.newContext>>["storageState"]>>;
export const SIGNED_OUT: Session = { cookies: [], origins: [] };

type World = { nexus: Nexus; plain: NexusAgent; lab: NexusAgent };

type WorkerFixtures = { world: World; ownerSession: Session };
type TestFixtures = {
  nexus: Nexus;
  /** Faults that this test provokes on purpose. */
  expectedFaults: RegExp;
  gate: Gate;
};

export const test = base.extend<TestFixtures, WorkerFixtures>({
  world: [
    // biome-ignore lint/correctness/noEmptyPattern: the runner reads the names of what a fixture needs from here.
    async ({}, use) => {
      const nexus = await Nexus.start();
      try {
        const plain = await nexus.addAgent({ name: "plain", labels: { role: "plain" } });
        const lab = await nexus.addAgent({ name: "lab", env: { NEXUS_GPUS: "sim:4x80GiB" } });
        await use({ nexus, plain, lab });
        await endJobs(nexus);
      } finally {
        await nexus.dispose();
      }
    },
    { scope: "worker", timeout: 240_000 },
  ],
  ownerSession: [
    async ({ world }, use) => use(await openLink(world.nexus, world.nexus.signInLink)),
    { scope: "worker" },
  ],
  nexus: ({ world }, use) => use(world.nexus),
  baseURL: ({ nexus }, use) => use(nexus.url),
  storageState: ({ ownerSession }, use) => use(ownerSession),
  expectedFaults: [/^(?!)/, { option: true }],
  page: async ({ page, expectedFaults }, use) => {
    const faults = faultsOf(page);
    await use(settling(page));
    expect(faults.filter((fault) => !expectedFaults.test(fault))).toEqual([]);
  },
  // biome-ignore lint/correctness/noEmptyPattern: the runner reads the names of what a fixture needs from here.
  gate: async ({}, use) => {
    const folder = await mkdtemp(join(tmpdir(), "nexus-gate-"));
    const path = join(folder, "gate");
    await promisify(execFile)("mkfifo", [path]);
    // Open at both ends for as long as the test: the end of a file that only a writer's closing makes would open the next
    // door of a job that comes to it meanwhile.
    const fifo = await open(path, "r+");
    await use({
      wait: `read _ < ${path}`,
      open: async () => {
        await fifo.write("\n");
      },
    });
    await rm(folder, { recursive: true, force: true });
    await fifo.close();
  },
});

/** Jobs outlive their agents: those of a test that failed must not outlive the tests. */
async function endJobs(nexus: Nexus): Promise<void> {
  const { jobs } = await nexus.call("jobs.list", { states: ["queued", ...ACTIVE_JOB_STATES], limit: 1000 });
  if (jobs.length === 0) return;
  await nexus.call("jobs.cancel", { jobs: jobs.map(({ id }) => id) });
  for (const { id } of jobs) await nexus.ended(id);
}

/** A door in a job's script: the job waits at `wait` until the test has called `open`, which lets one through, also ahead of it. */
export type Gate = { wait: string; open: () => Promise<void> };

/** Everything that a page reports as wrong, as it comes. */
function faultsOf(page: Page): string[] {
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(`error: ${error.stack ?? error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") {
      faults.push(`${message.type()}: ${message.text()} (${message.location().url})`);
    }
  });
  return faults;
}

/** A new person with this role, and the one-time link that lets them in. */
export async function invite(
  nexus: Nexus,
  name: string,
  role: Role,
): Promise<{ email: string; link: string }> {
  const email = `${name}@example.com`;
  const { link } = await nexus.call("members.add", { email, name, role });
  return { email, link };
}

/** Redeems a one-time link without a browser. */
async function openLink(nexus: Nexus, link: string): Promise<Session> {
  const context = await request.newContext({ baseURL: nexus.url, extraHTTPHeaders: { origin: nexus.url } });
  try {
    const answer = await context.post("/api/auth/link", { data: { link: link.split("#link=")[1] } });
    expect(answer.ok(), await answer.text()).toBe(true);
    return await context.storageState();
  } finally {
    await context.dispose();
  }
}

/** A page of its own for another person. */
export async function pageOf(browser: Browser, nexus: Nexus, link: string): Promise<Page> {
  const context = await browser.newContext({
    baseURL: nexus.url,
    storageState: await openLink(nexus, link),
  });
  return settling(await context.newPage());
}

/** What is pressed or typed before React has taken a page over is lost, so its loading ends with that. */
function settling(page: Page): Page {
  const goto = page.goto.bind(page);
  const reload = page.reload.bind(page);
  page.goto = async (...given) => {
    const response = await goto(...given);
    // Nothing answered where nothing was loaded: at about:blank, and another place of the same page.
    if (response !== null) await page.waitForFunction(isTakenOver);
    return response;
  };
  page.reload = async (...given) => {
    const response = await reload(...given);
    await page.waitForFunction(isTakenOver);
    return response;
  };
  return page;
}

function isTakenOver(): boolean {
  const isOfReact = (element: Element) => Object.keys(element).some((key) => key.startsWith("__reactProps$"));
  return [document.body, ...document.querySelectorAll("button, input, textarea")].every(isOfReact);
}

/// <reference lib="dom" />
import { type Browser, chromium, type Page } from "playwright";
import type { Nexus } from "../../tests/harness/nexus.ts";
import type { BenchCase, BenchContext } from "../bench-case.ts";
import { openNexus, unlessBuilt } from "../nexus.ts";

const LINE_BYTES = 100;
const LINES = Math.ceil(1024 ** 3 / LINE_BYTES);
const TAIL = 100;
/** Of each figure: the control plane begins anew for each, so nothing of the log is remembered. */
const OPENINGS = 5;
const LOG_MB = (LINES * LINE_BYTES) / 1e6;
/** One in each hundred thousand lines, and every digit of its number has to be looked at. */
const NEEDLE = "^step 0*([0-9]+)00000 ";

type BigLog = { nexus: Nexus; page: Page; big: string; small: string };

/** A job that wrote 1 GiB, one that wrote little, and a signed-in browser. */
function openBigLog(ctx: BenchContext): Promise<BigLog> {
  return ctx.share("big log", async () => {
    const { nexus } = await openNexus(ctx);
    const format = lineOf(0).trimEnd().replace("00000000", "%08.0f");
    const big = await nexus.submit({ command: ["seq", "-f", format, "1", String(LINES)], name: "big" });
    const small = await nexus.submit({ command: ["echo", lineOf(LINES).trimEnd()], name: "small" });
    await nexus.ended(big.id, 300_000);
    await nexus.ended(small.id);
    const browser = await openBrowser();
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await page.addInitScript(notePainting, `step ${LINES} `);
    await page.goto(nexus.signInLink);
    await page.getByRole("link", { name: "Jobs" }).first().waitFor();
    return { value: { nexus, page, big: big.id, small: small.id }, close: () => browser.close() };
  });
}

/** `step 00000042 loss …`, a hundred bytes with its end. */
function lineOf(step: number): string {
  const text = `step ${String(step).padStart(8, "0")} loss 0.1234 lr 3e-4 tokens/s 182044 grad 0.98 mem 71.2GiB eta 02:14:55`;
  return `${text.padEnd(LINE_BYTES - 1, ".")}\n`;
}

function openBrowser(): Promise<Browser> {
  const { CHROMIUM_PATH } = process.env;
  return chromium.launch({
    ...(CHROMIUM_PATH === undefined ? {} : { executablePath: CHROMIUM_PATH }),
    // As in tests/e2e/playwright.config.ts.
    args: process.getuid?.() === 0 ? ["--no-sandbox", "--disable-dev-shm-usage"] : [],
  });
}

declare global {
  interface Window {
    /** When a line of the log was on the screen for the first time since this was deleted, on the page's clock. */
    paintedAt?: number;
  }
}

/** Runs in the page, before its own code. */
function notePainting(text: string): void {
  const look = () => {
    if (window.paintedAt !== undefined) return;
    const log = document.querySelector("[role=log]");
    if (log?.textContent?.includes(text) !== true) return;
    // The frame that shows it is drawn between the two.
    requestAnimationFrame(() => setTimeout(() => (window.paintedAt ??= performance.now())));
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true });
}

async function paintedAt(page: Page): Promise<number> {
  const handle = await page.waitForFunction(() => window.paintedAt);
  return (await handle.jsonValue()) ?? Number.NaN;
}

/** A control plane that has not seen the log yet, and a page that was used before. */
async function beginAnew({ nexus, page, small }: BigLog): Promise<void> {
  await nexus.server.kill("SIGTERM");
  await nexus.startServer();
  await nexus.targetConnected();
  await page.goto(`${nexus.url}/jobs/${small}`);
  await paintedAt(page);
}

async function samples(ctx: BenchContext, measure: (log: BigLog) => Promise<number>): Promise<number[]> {
  const log = await openBigLog(ctx);
  const found: number[] = [];
  for (let n = 0; n < OPENINGS; n += 1) {
    await beginAnew(log);
    found.push(await measure(log));
  }
  return found;
}

const common = { rounds: 1, isByName: true, absent: unlessBuilt } as const;

export const nexusBigLog: BenchCase[] = [
  {
    ...common,
    name: "Nexus, 1 GiB log: page opened to first lines",
    unit: "ms",
    run: (ctx) =>
      samples(ctx, async ({ nexus, page, big }) => {
        await page.goto(`${nexus.url}/jobs/${big}`, { waitUntil: "commit" });
        return await paintedAt(page);
      }),
  },
  {
    ...common,
    name: "Nexus, 1 GiB log: click on the job to first lines",
    unit: "ms",
    run: (ctx) =>
      samples(ctx, async ({ nexus, page, big }) => {
        await page.goto(`${nexus.url}/jobs`);
        const link = page.locator(`a[href="/jobs/${big}"]`).first();
        await link.waitFor();
        await page.waitForLoadState("networkidle");
        const clickedAt = await link.evaluate((element) => {
          delete window.paintedAt;
          (element as HTMLElement).click();
          return performance.now();
        });
        return (await paintedAt(page)) - clickedAt;
      }),
  },
  {
    ...common,
    name: `Nexus, 1 GiB log: nexus logs -n ${TAIL}`,
    unit: "ms",
    run: (ctx) =>
      samples(ctx, async ({ nexus, big }) => {
        const expected = Array.from({ length: TAIL }, (_, n) => lineOf(LINES - TAIL + 1 + n)).join("");
        const atMs = performance.now();
        const command = nexus.cli(["logs", big, "-n", String(TAIL)]);
        await command.exit();
        const tookMs = performance.now() - atMs;
        if (command.stdout !== expected) throw new Error(`not the last ${TAIL} lines:\n${command.stdout}`);
        return tookMs;
      }),
  },
  {
    ...common,
    name: "Nexus, 1 GiB log: nexus logs --grep",
    unit: "MB/s",
    run: (ctx) =>
      samples(ctx, async ({ nexus, big }) => {
        const steps = Array.from({ length: Math.floor(LINES / 100_000) }, (_, n) => (n + 1) * 100_000);
        const expected = steps.map((step) => `${step}:${lineOf(step)}`).join("");
        const atMs = performance.now();
        const command = nexus.cli(["logs", big, "--grep", NEEDLE]);
        await command.exit();
        const tookS = (performance.now() - atMs) / 1000;
        if (command.stdout !== expected) {
          throw new Error(`not the lines that match:\n${command.stdout.slice(0, 2000)}${command.stderr}`);
        }
        return LOG_MB / tookS;
      }),
  },
];

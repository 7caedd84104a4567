import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { trustCertificate } from "@nexus/shared/crypto/trust-certificate";
import { ERROR_TABLE, NexusError } from "@nexus/shared/errors";
import { type UpFile, upFileSchema } from "@nexus/shared/up-file";
import { stopProgram } from "./keep-running.ts";
import type { Settings } from "./settings.ts";
import { type Ended, type Program, type Running, startProgram } from "./start-program.ts";

/** Longer than the control plane's own limit for an orderly shutdown. */
export const SERVER_STOP_MS = 30_000;
const READYZ_MS = 2_000;
const POLL_MS = 30;
/** Recovery of a database that was not closed takes as long as its WAL is. */
const READY_WAIT_MS = 10 * 60_000;
/** One that an `up` left behind when it was killed stops by itself; until then it holds the home. */
const PREDECESSOR_WAIT_MS = 20_000;
const PREDECESSOR_POLL_MS = 300;

export type ReadyControlPlane = { running: Running; up: UpFile };

export type StartOptions = { program: Program; settings: Settings; wish: AbortSignal };

/** Rejects with the wish's reason when it comes first, and leaves nothing running then or on failure. */
export async function startControlPlane(options: StartOptions): Promise<ReadyControlPlane> {
  const { program, wish } = options;
  const startedAtMs = performance.now();
  for (;;) {
    const result = await tryToStart(options);
    if ("up" in result) return result;
    const isHeld = result.ended.code === ERROR_TABLE.conflict.exit;
    if (!isHeld || performance.now() - startedAtMs > PREDECESSOR_WAIT_MS)
      throw notStarted(program, result.ended);
    await delay(PREDECESSOR_POLL_MS, undefined, { signal: wish });
  }
}

async function tryToStart({
  program,
  settings,
  wish,
}: StartOptions): Promise<ReadyControlPlane | { ended: Ended }> {
  const path = join(settings.home, "run", "up.json");
  rmSync(path, { force: true });
  const running = startProgram(program);
  let ended: Ended | null = null;
  let isTrusted = false;
  void running.ended.then((how) => {
    ended = how;
  });
  const giveUpAtMs = performance.now() + READY_WAIT_MS;
  while (ended === null) {
    const up = readUpFile(path);
    // Its own certificate is new to this process: every later call to it goes through the same trust.
    if (up?.certificate !== undefined && !isTrusted) {
      trustCertificate(up.certificate);
      isTrusted = true;
    }
    if (up && (await isReady(up.url, settings.port))) return { running, up };
    if (wish.aborted || performance.now() > giveUpAtMs) {
      await stopProgram(running, SERVER_STOP_MS);
      wish.throwIfAborted();
      throw new NexusError("unavailable", {
        detail: `The control plane did not get ready; see ${program.logPath}.`,
      });
    }
    await Promise.race([running.ended, delay(POLL_MS)]);
  }
  return { ended };
}

function readUpFile(path: string): UpFile | null {
  try {
    return upFileSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return null;
    throw cause;
  }
}

/** Its public address may lead through a proxy that is not up yet: here the loopback one will do. */
async function isReady(url: string, port: number): Promise<boolean> {
  const here = port === 0 ? url : `http://127.0.0.1:${port}`;
  const asks = [url, here].map(async (origin) => {
    const response = await fetch(new URL("/readyz", origin), { signal: AbortSignal.timeout(READYZ_MS) });
    if (!response.ok) throw new Error(`${response.status}`);
  });
  return Promise.any(asks).then(
    () => true,
    () => false,
  );
}

function notStarted({ logPath }: Program, { code, signal, lastWords }: Ended): NexusError {
  return new NexusError(code === ERROR_TABLE.conflict.exit ? "conflict" : "unavailable", {
    detail: `The control plane did not start (${signal ?? `exit code ${code}`})${lastWords && `:\n${lastWords}`}\n\nAll it said is in ${logPath}.`,
  });
}

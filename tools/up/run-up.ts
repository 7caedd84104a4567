/**
 * `npm run up`: everything on one machine, for as long as this process lives.
 * Owns: the lock of the home, the control plane and the agent of this machine, started in this order and stopped in the
 * opposite one. The control plane owns the embedded Postgres. Jobs are owned by nobody here: they go on when all stops.
 */
import { join } from "node:path";
import { build } from "./build.ts";
import { SERVER_STOP_MS, startControlPlane } from "./control-plane.ts";
import { endedText } from "./ended-text.ts";
import { type Kept, keepRunning } from "./keep-running.ts";
import { startLocalAgent } from "./local-agent.ts";
import { newWayIn } from "./new-way-in.ts";
import type { Teller } from "./say.ts";
import type { Settings } from "./settings.ts";
import type { Program } from "./start-program.ts";
import { takeUpLock } from "./up-lock.ts";
import { watchDisk } from "./watch-disk.ts";
import { welcome } from "./welcome.ts";

/** V8 keeps a young generation for a hundred MB of short-lived objects: idle 311 MB without, 135 MB with it, no slower. */
const SMALL_YOUNG_HEAP = "--max-semi-space-size=2";

export type UpOptions = {
  settings: Settings;
  root: string;
  /** The scripts to run, from the root. */
  scripts: { server: string; agent: string };
  isBuilt: boolean;
  teller: Teller;
  /** Aborts when a person wants it to stop. */
  wish: AbortSignal;
};

export async function runUp(options: UpOptions): Promise<void> {
  const { settings, teller, wish } = options;
  const startedAtMs = performance.now();
  const lock = await takeUpLock(join(settings.home, "run"), () =>
    newWayIn({ ...settings, script: join(options.root, options.scripts.server) }),
  );
  const kept: Kept[] = [watchDisk(settings.home, teller.line)];
  try {
    if (!options.isBuilt) await teller.step("building", build(options.root));
    if (wish.aborted) return;
    const program = controlPlane(options);
    const starting = startControlPlane({ program, settings, wish });
    const { running, up } = await teller.step("starting the control plane", starting);
    kept.unshift(keepControlPlane(program, running, teller));
    if (wish.aborted) return;
    const agent = startLocalAgent({
      script: join(options.root, options.scripts.agent),
      home: settings.home,
      up,
      say: teller.line,
    });
    kept.unshift(await teller.step("enrolling this machine", agent));
    teller.line(welcome({ settings, up, tookMs: performance.now() - startedAtMs }));
    await whenAborted(wish);
    teller.line("Stopping; running jobs go on.");
  } catch (cause) {
    // What a person's Ctrl-C broke off is no failure.
    if (!wish.aborted) throw cause;
  } finally {
    for (const one of kept) await one.stop();
    lock.release();
  }
}

function controlPlane({ settings, root, scripts }: UpOptions): Program {
  return {
    name: "control plane",
    argv: [SMALL_YOUNG_HEAP, join(root, scripts.server)],
    env: {
      ...process.env,
      NODE_ENV: "production",
      NEXUS_UP: "1",
      NEXUS_HOME: settings.home,
      NEXUS_PORT: String(settings.port),
    },
    logPath: join(settings.home, "logs", "control-plane.log"),
  };
}

function keepControlPlane(
  program: Program,
  first: Parameters<typeof keepRunning>[0]["first"],
  teller: Teller,
): Kept {
  return keepRunning({
    program,
    ...(first ? { first } : {}),
    finalCodes: [],
    stopMs: SERVER_STOP_MS,
    onEnded(ended, againMs) {
      teller.line(endedText("The control plane", program, { ended, againMs }));
    },
  });
}

function whenAborted(wish: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (wish.aborted) resolve();
    else wish.addEventListener("abort", () => resolve(), { once: true });
  });
}

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { type Resident, type ResidentEnd, startResident } from "./resident.ts";
import { runOnce } from "./run-once.ts";

const opened: Resident[] = [];
const folders: string[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((resident) => resident.close()));
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
});

type Event = { line: string } | { end: ResidentEnd };

/** Runs a sh script as the resident and gives its events one by one. */
function watch(script: string, more: { mayBeQuiet?: boolean; silenceMs?: number } = {}) {
  const events: Event[] = [];
  let wake: () => void = () => undefined;
  const push = (event: Event): void => {
    events.push(event);
    wake();
  };
  const resident = startResident({
    command: "sh",
    prepare: async () => ["-c", script],
    onLine: (line) => push({ line }),
    onEnd: (end) => push({ end }),
    onStuck: () => undefined,
    silenceMs: more.silenceMs ?? 60_000,
    mayBeQuiet: more.mayBeQuiet ?? false,
    backoffMsMin: 1,
    backoffMsMax: 20,
    procRoot: "/proc",
  });
  opened.push(resident);
  async function next(): Promise<Event> {
    while (events.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return events.shift() as Event;
  }
  return { resident, next };
}

async function tempFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "nexus-resident-"));
  folders.push(folder);
  return folder;
}

it("[G10] a loop that ends is started again, its exit code known and its half line dropped", async () => {
  const { next } = watch("echo one; printf hal; exit 9");
  for (let turn = 0; turn < 3; turn++) {
    expect(await next()).toEqual({ line: "one" });
    expect(await next()).toEqual({ end: { prepared: true, code: 9, silent: false } });
  }
});

it("[G10] a command that is not there is one more end", async () => {
  const { next } = watch("exec /nowhere/nvidia-smi 2>/dev/null");
  expect(await next()).toEqual({ end: { prepared: true, code: 127, silent: false } });
});

it("[G10] a silent loop is killed and started again", async () => {
  const { next } = watch("echo up; exec sleep 1000", { silenceMs: 100 });
  // On a busy machine one may be silent for too long before its first line.
  const silentUntilUp = async () => {
    for (let event = await next(); !("line" in event); event = await next())
      expect(event).toMatchObject({ end: { silent: true } });
  };
  await silentUntilUp();
  expect(await next()).toMatchObject({ end: { silent: true } });
  await silentUntilUp();
});

it("[G10] a loop that may be quiet is left alone while it runs, and killed once it hangs", async () => {
  const folder = await tempFolder();
  const flag = join(folder, "go");
  const script = `echo up; until [ -e ${flag} ]; do sleep 0.01; done; echo out; exec sleep 1000`;
  const { next } = watch(script, { silenceMs: 300, mayBeQuiet: true });
  expect(await next()).toEqual({ line: "up" });
  // Silences pass: another loop with the same pace ends by silence twice.
  const clock = watch("exec sleep 1000", { silenceMs: 300 });
  for (let turn = 0; turn < 2; turn++) await clock.next();
  await writeFile(flag, "");
  expect(await next()).toEqual({ line: "out" });
  expect(await next()).toMatchObject({ end: { silent: true } });
});

it("[G10] a loop dies with its agent, also one that never prints", async () => {
  const folder = await tempFolder();
  const agent = join(folder, "agent.ts");
  const pidFile = join(folder, "pid");
  await writeFile(
    agent,
    `import { startResident } from ${JSON.stringify(new URL("resident.ts", import.meta.url).href)};
     startResident({ command: "sh", prepare: async () => ["-c", 'echo $$ > ${pidFile}; echo up; exec sleep 1000'],
       onLine: () => process.stdout.write("up\\n"), onEnd: () => undefined, onStuck: () => undefined, silenceMs: 60000,
       mayBeQuiet: true, backoffMsMin: 1, backoffMsMax: 1, procRoot: "/proc" });
     setInterval(() => undefined, 60000);`,
  );
  const running = spawn(process.execPath, [agent], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => running.stdout.once("data", resolve));
  const pid = (await readFile(pidFile, "utf8")).trim();
  running.kill("SIGKILL");
  await new Promise((resolve) => running.once("close", resolve));
  // The command's sh holds our stdout's other end no more; what is left to see is that its process is gone.
  await expect.poll(() => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).toBe("");
});

it("[B14] a line of a driver's loop longer than 64 KiB is dropped, and the next is read", async () => {
  const { next } = watch("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo next; exec sleep 1000");
  const first = await next();
  // What is left of it once there is room again is no row.
  expect("line" in first && first.line.length).toBeLessThan(4 * 64 * 1024);
  expect(await next()).toEqual({ line: "next" });
});

it("[B14] a driver's answer longer than 4 MiB is ended, and what was kept of it is bounded", async () => {
  const { code, stdout, timedOut } = await runOnce("sh", ["-c", "exec yes"], 60_000);
  expect({ code, timedOut }).toEqual({ code: null, timedOut: false });
  expect(stdout.length).toBeGreaterThan(4 * 1024 * 1024);
  expect(stdout.length).toBeLessThan(5 * 1024 * 1024);
});

it("[G10] closing ends the command", async () => {
  const { resident, next } = watch(`echo $$; trap '' TERM; while :; do sleep 0.05; done`);
  const event = await next();
  const pid = "line" in event ? event.line : "";
  await resident.close();
  expect(await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "gone")).toBe("gone");
});

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeStandIns } from "./testing/stand-ins.ts";

let dir: string;
let home: string;
let started: Up[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "nexus-up-"));
  home = join(dir, "home");
  mkdirSync(home);
  started = [];
});
afterEach(async () => {
  for (const up of started) if (isRunning(up.child)) await stop(up);
  // What a killed one had started ends by itself, and still writes. Orphans stay as zombies until pid 1 collects them.
  await expect.poll(() => pids().filter(isAlive)).toEqual([]);
  rmSync(dir, { recursive: true });
});

test("[O27] the control plane is ready before this machine is enrolled and its agent runs, then a person is told how to go on", async () => {
  const up = await start();
  const { output } = up;
  expect(output()).toMatch(/Dashboard {3}http:\/\/127\.0\.0\.1:\d+\n/);
  expect(output()).toMatch(/Sign in {5}http:\/\/127\.0\.0\.1:\d+\/sign-in\/once/);
  expect(output()).toContain(`NEXUS_HOME=${home} npx nexus run -- sh -c`);
  expect(events().map((event) => event.split(" ")[0])).toEqual(["server", "enroll", "agent"]);
});

test("[O28] a machine is enrolled once, and the token is in no command line", async () => {
  const first = await start();
  const asRoot = process.getuid?.() === 0 ? " --allow-root" : "";
  expect(events()[1]).toBe(`enroll - --yes${asRoot} < a-secret-token`);
  await stop(first);
  await start();
  expect(events().filter((event) => event.startsWith("enroll"))).toHaveLength(1);
});

test("[O28] for a machine that is enrolled and lost its agent's folder, a token is asked with the person's key", async () => {
  writeFileSync(join(home, "enrolled"), "");
  const up = launch();
  expect(await once(up.child, "exit")).toEqual([69, null]);
  expect(events()[1]).toBe("/api/trpc/enrollTokens.create Bearer a-key");
  expect(up.output()).toContain("no token to enrol this machine again: the server says no");
});

test("[O29] Ctrl-C, also sent twice, stops the agent, then the control plane, and ends with 0", async () => {
  const up = await start();
  up.child.kill("SIGINT");
  up.child.kill("SIGINT");
  expect(await once(up.child, "exit")).toEqual([0, null]);
  expect(events().slice(3)).toEqual(["agent stopped", "server stopped"]);
  expect(up.output()).toContain("Stopping; running jobs go on.");
});

test("[O30] a second `up` on the same home is told who holds it, gets a new way in, and changes nothing", async () => {
  const first = await start();
  const holder = `Nexus is up already: process ${first.child.pid} holds this home since 20`;
  const second = launch();
  expect(await once(second.child, "exit")).toEqual([75, null]);
  const { url } = JSON.parse(readFileSync(join(home, "run", "up.json"), "utf8"));
  expect(second.output()).toMatch(new RegExp(`^${holder}.*Z\\.\n\n`));
  expect(second.output()).toContain(`\n  Dashboard   ${url}\n  Sign in     ${url}/sign-in/new\n`);

  writeFileSync(join(home, "no-link"), "");
  const third = launch();
  expect(await once(third.child, "exit")).toEqual([75, null]);
  expect(third.output()).toMatch(
    new RegExp(`^${holder}.*Z\\.\nThere is no new sign-in link: the command says why\n$`),
  );
  expect(events()).toHaveLength(3);
});

test("[O30] a second `up` gets no link while the first still starts, nor into what another user started", async () => {
  const first = await start();
  const path = join(home, "run", "up.json");
  const foreign = `${path}.foreign`;
  renameSync(path, foreign);
  const early = launch();
  expect(await once(early.child, "exit")).toEqual([75, null]);
  expect(early.output()).toMatch(/Z\.\nIt still starts; its own terminal shows the sign-in link\.\n$/);
  // Only root can give a file away.
  if (process.getuid?.() !== 0) return;
  renameSync(foreign, path);
  chownSync(path, 12_345, 12_345);
  const other = launch();
  expect(await once(other.child, "exit")).toEqual([75, null]);
  expect(other.output()).toMatch(new RegExp(`^Nexus is up already: process ${first.child.pid} .*Z\\.\n$`));
});

test("[O64] a home that cannot be used ends `up` with a sentence", async () => {
  writeFileSync(join(dir, "file"), "");
  home = join(dir, "file", "home");
  const up = launch();
  expect(await once(up.child, "exit")).toEqual([64, null]);
  expect(up.output()).toMatch(/^The folder of Nexus, NEXUS_HOME=.*, cannot be used: ENOTDIR.*\.\n$/);
  home = dir;
});

test("[O31] when `up` is killed all that it started stops, and the next `up` starts at once", async () => {
  const first = await start();
  first.child.kill("SIGKILL");
  await start();
  expect(
    events()
      .filter((event) => event.endsWith("stopped"))
      .sort(),
  ).toEqual(["agent stopped", "server stopped"]);
});

test.each([
  { name: "agent", event: 2, message: "The agent of this machine ended", log: "agent.log" },
  { name: "server", event: 0, message: "The control plane ended", log: "control-plane.log" },
])(
  "[O32] a killed $name is started again, and the person is told in a sentence",
  async ({ name, event, message, log }) => {
    const up = await start();
    process.kill(Number(events()[event]?.split(" ")[1]), "SIGKILL");
    await expect.poll(() => events().filter((line) => line.startsWith(`${name} `))).toHaveLength(2);
    const sentence = `${message} (SIGKILL), again in 0.5 s. Its log is ${join(home, "logs", log)}.\n`;
    await expect.poll(up.output).toContain(sentence);
    expect(up.output()).not.toContain("an old line");
  },
);

test("[O32] an agent for which starting again is no use stays down, and its last lines are shown", async () => {
  writeFileSync(join(home, "final"), "");
  const up = await start();
  await expect.poll(up.output).toContain("ended (exit code 78), it stays down:\nthe agent says why");
});

test("[O33] a control plane that does not start says why, and nothing is left running", async () => {
  writeFileSync(join(home, "refusal"), "70");
  const up = launch();
  expect(await once(up.child, "exit")).toEqual([69, null]);
  expect(up.output()).toContain("did not start (exit code 70):\nthe control plane says why\n");
  expect(existsSync(join(home, "run", "up.lock.json"))).toBe(false);
});

test("[O33] a home that an earlier control plane still holds is waited for", async () => {
  writeFileSync(join(home, "refusal"), "75");
  const up = launch();
  await expect.poll(() => existsSync(join(home, "logs", "control-plane.log"))).toBe(true);
  rmSync(join(home, "refusal"));
  await up.ready;
});

test("[O34] what the agent hands to jobs holds no setting of Nexus or npm, and the person's own environment", async () => {
  await start();
  expect(events()[2]).toMatch(/ env \[,,,hello\] path \/usr\/bin:\/bin$/);
});

type Up = { child: ChildProcess; output: () => string; ready: Promise<void> };

async function start(): Promise<Up> {
  const up = launch();
  await up.ready;
  const runs = () => events().filter((event) => event.startsWith("agent ")).length;
  await expect.poll(runs).toBeGreaterThanOrEqual(started.length);
  return up;
}

function launch(): Up {
  const { server, agent } = writeStandIns(join(dir, "checkout"));
  const program = join(import.meta.dirname, "testing", "up-program.ts");
  const child = spawn(process.execPath, [program, join(dir, "checkout"), server, agent], {
    env: {
      HOME: dir,
      NODE_ENV: "test",
      PATH: `${dir}/node_modules/.bin:/usr/bin:/bin`,
      NEXUS_HOME: home,
      NEXUS_PORT: "0",
      DATABASE_URL: "postgres://secret@127.0.0.1/x",
      npm_execpath: "/npm",
      GREETING: "hello",
    },
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (bytes: Buffer) => {
      text += bytes.toString();
    });
  const ready = new Promise<void>((resolve, reject) => {
    child.stdout.on("data", () => text.includes("Try next") && resolve());
    child.once("exit", (code) => reject(new Error(`up ended with ${code}:\n${text}`)));
  });
  ready.catch(() => undefined);
  const up = { child, output: () => text, ready };
  started.push(up);
  return up;
}

async function stop(up: Up): Promise<void> {
  up.child.kill("SIGTERM");
  await once(up.child, "exit");
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

function events(): string[] {
  const path = join(home, "events");
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
}

function pids(): number[] {
  return events().flatMap((event) => (/^(server|agent) \d/.test(event) ? [Number(event.split(" ")[1])] : []));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

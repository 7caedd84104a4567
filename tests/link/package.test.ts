import { chown, copyFile, cp, link, mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  startTestControlPlane,
  type TestControlPlane,
} from "../../apps/web/src/server/gateway/testing/test-control-plane.ts";
import { Child } from "../harness/child.ts";

/** The user of that name has no home on most systems: /nonexistent. */
const NOBODY = 65_534;
const packageFolder = join(import.meta.dirname, "../../apps/agent");
let plane: TestControlPlane;
let folder: string;
let tarball: string;
const places: string[] = [];

beforeAll(async () => {
  plane = await startTestControlPlane();
  folder = await mkdtemp(join(tmpdir(), "nexus-pack-"));
  const stage = join(folder, "stage");
  await mkdir(stage);
  for (const name of ["package.json", "bin"]) {
    await cp(join(packageFolder, name), join(stage, name), { recursive: true });
  }
  await run([process.execPath, join(packageFolder, "build.mjs"), join(stage, "dist")]);
  await run(["npm", "pack", "--ignore-scripts", "--pack-destination", folder], { cwd: stage });
  const name = (await readdir(folder)).find((file) => file.endsWith(".tgz"));
  tarball = join(folder, name ?? "none");
});
afterAll(async () => {
  await plane.close();
  for (const place of [folder, ...places]) await rm(place, { recursive: true, force: true });
});

type RunOptions = { cwd?: string; input?: string; env?: Record<string, string>; uid?: number };

function start(command: string[], options: RunOptions = {}): Child {
  const env = {
    PATH: [dirname(process.execPath), process.env.PATH].join(":"),
    HOME: folder,
    NEXUS_AGENT_HOME: join(folder, "agent"),
    NEXUS_GPUS: "none",
    npm_config_cache: join(folder, "cache"),
    npm_config_ignore_scripts: "true",
    npm_config_offline: "true",
    ...options.env,
  };
  return new Child(command, { ...options, env });
}

async function run(command: string[], options: RunOptions = {}): Promise<string> {
  const child = start(command, options);
  const code = await child.exit();
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}:\n${child.stdout}${child.stderr}`);
  return child.stdout + child.stderr;
}

const npx = (...args: string[]) => ["npx", "--yes", "--package", tarball, "nexus-agent", ...args];

describe("the package", () => {
  it("[E26] installs and enrols from its tarball by npx, offline, with install scripts disabled", async () => {
    const { secret } = await plane.token({ name: "packed" });
    const said = await run(npx("enroll", "-", "--yes", "--allow-root"), { cwd: folder, input: secret });
    expect(said).toMatch(/Enrolled as packed/);
    // npm's starter does not hand signals on, so the installed program itself is started here.
    const app = join(folder, "app");
    await run(["npm", "install", "--prefix", app, tarball]);
    const agent = start([join(app, "node_modules/.bin/nexus-agent"), "run", "--allow-root"]);
    await agent.says("connected to");
    await agent.kill("SIGTERM");
  });

  it("[E26] has no dependency and no install script, and is one file of code", async () => {
    const manifest = JSON.parse(await readFile(join(packageFolder, "package.json"), "utf8"));
    for (const field of ["dependencies", "optionalDependencies", "peerDependencies"]) {
      expect(manifest[field]).toBeUndefined();
    }
    expect(Object.keys(manifest.scripts)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/install/)]),
    );
    const listed = await run(["tar", "-tzf", tarball]);
    expect(listed.trim().split("\n").sort()).toEqual([
      "package/bin/ensure-node.mjs",
      "package/bin/nexus-agent.mjs",
      "package/dist/nexus-agent.js",
      "package/package.json",
    ]);
  });

  it("[E25] install-service copies the program out of npm's cache, and prints all it would do with --print", async () => {
    const printed = await run(npx("install-service", "--print", "--allow-root"), { cwd: folder });
    const { seed } = JSON.parse(await readFile(join(folder, "agent/identity.json"), "utf8"));
    expect(printed).not.toContain(seed);
    expect(printed).toContain(join(folder, "agent/service/nexus-agent.js"));
    const bundle = join(folder, "stage/dist/nexus-agent.js");
    // Without a service manager on the PATH the last step fails, and says which.
    const install = start([process.execPath, bundle, "install-service", "--allow-root"], {
      env: { PATH: "/nowhere" },
    });
    expect(await install.exit()).toBe(69);
    expect(install.stderr).toMatch(/"(systemctl|launchctl) .*" failed/);
    const copied = join(folder, "agent/service/nexus-agent.js");
    expect((await stat(copied)).mode & 0o111).not.toBe(0);
    expect(await run([process.execPath, copied, "--version"])).toMatch(/^\d+\.\d+\.\d+/);
  });

  // tidy-allow skip: becomes another user, for which a machine must let its user be root
  it.runIf(process.getuid?.() === 0)(
    "[E27] [E28] a user without a home is told where jobs begin and how to install the service",
    async () => {
      const [node, program, home] = await programOf(NOBODY);
      const { secret } = await plane.token();
      const command = (args: string[], input = "") =>
        start([node, program, ...args], { input, uid: NOBODY, env: { NEXUS_AGENT_HOME: home } });
      const enrolled = command(["enroll", "-", "--yes"], secret);
      expect(await enrolled.exit()).toBe(0);
      expect(enrolled.stdout).toContain(
        `${join(home, "job-home")}, their HOME too, since /nonexistent does not`,
      );
      const forUser = command(["install-service"]);
      expect(await forUser.exit()).toBe(65);
      expect(forUser.stderr).toMatch(/\/nonexistent does not exist.*install-service --system/);
      const forMachine = command(["install-service", "--system"]);
      expect(await forMachine.exit()).toBe(77);
      expect(forMachine.stderr).toContain(
        `sudo install -m 644 ${home}/service/nexus-agent.service /etc/systemd/`,
      );
      expect(forMachine.stderr).toContain("&& sudo systemctl enable nexus-agent");
      expect(await readFile(join(home, "service/nexus-agent.service"), "utf8")).toContain("User=nobody\n");
    },
  );
});

/** Node, the agent and a home for another user, who may see neither the checkout nor where this Node is installed. */
async function programOf(uid: number): Promise<[node: string, program: string, home: string]> {
  const place = await mkdtemp(join(tmpdir(), "nexus-other-user-"));
  places.push(place);
  const [node, program, home] = [join(place, "node"), join(place, "nexus-agent.js"), join(place, "home")];
  await link(process.execPath, node).catch(() => copyFile(process.execPath, node));
  await copyFile(join(folder, "stage/dist/nexus-agent.js"), program);
  await mkdir(home, { mode: 0o700 });
  for (const path of [place, home]) await chown(path, uid, uid);
  return [node, program, home];
}

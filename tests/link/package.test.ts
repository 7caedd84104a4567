import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  startTestControlPlane,
  type TestControlPlane,
} from "../../apps/web/src/server/gateway/testing/test-control-plane.ts";
import { Child } from "../harness/child.ts";

const packageFolder = join(import.meta.dirname, "../../apps/agent");
let plane: TestControlPlane;
let folder: string;
let tarball: string;

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
  await rm(folder, { recursive: true, force: true });
});

type RunOptions = { cwd?: string; input?: string; env?: Record<string, string> };

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
});

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type FakeRegistry, openFakeRegistry } from "./testing/fake-registry.ts";

const CLOSED_REGISTRY = "http://127.0.0.1:1/";
let registry: FakeRegistry;
let dir: string;

beforeAll(async () => {
  registry = await openFakeRegistry();
});
afterAll(() => registry.close());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "nexus-bootstrap-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("[O23] a Node that is too old says so and goes on with a private one, first on PATH", async () => {
  const home = join(dir, "home");
  const { output, code } = await end(
    onOldNode({ home, body: "console.log(process.env.PATH.split(':')[0])" }),
  );
  expect(output).toContain("Node 20.19.0 is older than 22.18; going on with Node");
  expect(output).toContain(`${home}/node24/node_modules/node-here/bin\n`);
  expect(code).toBe(0);
  expect(readdirSync(join(home, "node24"))).toEqual(["node_modules"]);
});

test("[O23] the private Node is fetched once", async () => {
  const home = join(dir, "home");
  await end(onOldNode({ home, body: "" }));
  const { output, code } = await end(
    onOldNode({ home, body: "console.log('again')", registryUrl: CLOSED_REGISTRY }),
  );
  expect(output).toMatch(/^Node 20.* from a private folder.\nagain\n$/);
  expect(code).toBe(0);
});

test("[O23] a Node that is new enough runs the command itself, with no word", async () => {
  const { output } = await end(onOldNode({ home: dir, running: "22.18.0", body: "console.log('here')" }));
  expect(output).toBe("here\n");
});

test("[O23] a home that cannot be written is passed over for the folder beside", async () => {
  writeFileSync(join(dir, "file"), "");
  const { output } = await end(onOldNode({ home: join(dir, "file", "home"), body: "console.log('done')" }));
  expect(output).toContain(`into ${dir}/fallback (once)`);
  expect(output).toContain("done");
});

test("[O24] a package that is not the one that was tested is refused, and nothing of it stays", async () => {
  const home = join(dir, "home");
  const integrity = `sha512-${Buffer.alloc(64).toString("base64")}`;
  const { output, code } = await end(onOldNode({ home, body: "console.log('ran')", integrity }));
  expect(output).toContain("EINTEGRITY");
  expect(output).not.toContain("ran");
  expect(code).toBe(69);
  expect(readdirSync(join(home, "node24"))).toEqual([]);
});

test("[O24] without a way to the registry the command ends with what to do", async () => {
  const { output, code } = await end(onOldNode({ home: dir, body: "", registryUrl: CLOSED_REGISTRY }));
  expect(output).toContain("npm cannot reach its registry. Check the network");
  expect(code).toBe(69);
});

test("[O25] exit code and signals pass through to and from the private Node", async () => {
  expect((await end(onOldNode({ home: dir, body: "process.exit(7)" }))).code).toBe(7);
  const body =
    "process.on('SIGTERM', () => process.exit(8)); console.log('ready'); setInterval(() => {}, 1e6)";
  const child = onOldNode({ home: dir, body });
  child.stdout?.on("data", (bytes: Buffer) => {
    if (bytes.toString().includes("ready")) child.kill("SIGTERM");
  });
  expect(await once(child, "exit")).toEqual([8, null]);
});

test("[O26] dependencies are installed when they are missing, differ from the lock file or are torn", async () => {
  const root = join(dir, "checkout");
  mkdirSync(root);
  writeLock(root, "1.0.0");
  expect((await end(dependencies(root))).output).toContain("Installing dependencies");
  expect(existsSync(join(root, "node_modules", "dep", "package.json"))).toBe(true);
  expect((await end(dependencies(root, CLOSED_REGISTRY))).output).toBe("");
  rmSync(join(root, "node_modules", ".package-lock.json"));
  expect((await end(dependencies(root))).output).toContain("Installing dependencies");
  writeLock(root, "1.1.0");
  expect((await end(dependencies(root))).output).toContain("dep differs from package-lock.json");
  expect((await end(dependencies(root))).output).toBe("");
});

type OldNode = { home: string; body: string; running?: string; integrity?: string; registryUrl?: string };

/** A program as the root's commands and the agent are: it begins with `runOnFitNode`. */
function onOldNode({ home, body, running = "20.19.0", registryUrl = registry.url, ...options }: OldNode) {
  const version = process.versions.node;
  const manifest = { name: "node-here", version, os: [process.platform], cpu: [process.arch] };
  const here = `#!/bin/sh\nexec ${process.execPath} "$@"\n`;
  const { integrity } = registry.publish({ ...manifest, bin: { node: "bin/node" } }, { "bin/node": here });
  const entry = {
    version,
    os: process.platform,
    cpu: process.arch,
    integrity: options.integrity ?? integrity,
  };
  const program = `
    import { runOnFitNode } from ${JSON.stringify(join(import.meta.dirname, "ensure-node.mjs"))};
    const running = process.env.IS_AGAIN ? undefined : ${JSON.stringify(running)};
    process.env.IS_AGAIN = "yes";
    await runOnFitNode(
      { home: ${JSON.stringify(home)}, fallbackDir: ${JSON.stringify(join(dir, "fallback"))}, running,
        packages: { "node-here": ${JSON.stringify(entry)} }, say: (line) => console.log(line) },
      async () => { ${body} });`;
  const path = join(dir, "program.mjs");
  writeFileSync(path, program);
  return start([path], { cwd: dir, registryUrl });
}

function dependencies(root: string, registryUrl = registry.url): ChildProcess {
  const program = `
    import { ensureDependencies } from ${JSON.stringify(join(import.meta.dirname, "ensure-dependencies.mjs"))};
    await ensureDependencies(${JSON.stringify(root)}, (line) => console.log(line));`;
  return start(["--input-type=module", "-e", program], { cwd: root, registryUrl });
}

function start(argv: string[], { cwd, registryUrl }: { cwd: string; registryUrl: string }): ChildProcess {
  return spawn(process.execPath, argv, {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH,
      HOME: dir,
      NODE_ENV: "test",
      npm_config_registry: registryUrl,
      npm_config_cache: join(dir, "cache"),
      npm_config_fetch_retries: "0",
    },
  });
}

async function end(child: ChildProcess): Promise<{ output: string; code: number | null }> {
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new Error("the program has no output");
  const [said, failed, [code]] = await Promise.all([text(stdout), text(stderr), once(child, "exit")]);
  return { output: said + failed, code };
}

function writeLock(root: string, version: string): void {
  const { integrity } = registry.publish({ name: "dep", version }, {});
  const project = { name: "checkout", version: "0.0.0", dependencies: { dep: version } };
  const packages = { "": project, "node_modules/dep": { version, integrity } };
  writeFileSync(join(root, "package.json"), JSON.stringify(project));
  writeFileSync(
    join(root, "package-lock.json"),
    JSON.stringify({ ...project, lockfileVersion: 3, packages }),
  );
}

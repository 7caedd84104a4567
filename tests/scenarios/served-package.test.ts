import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Child } from "../harness/child.ts";
import { Nexus } from "../harness/nexus.ts";

let nexus: Nexus;
let folder: string;
beforeAll(async () => {
  nexus = await Nexus.start();
  folder = await mkdtemp(join(tmpdir(), "nexus-served-"));
});
afterAll(async () => {
  await nexus.dispose();
  await rm(folder, { recursive: true, force: true });
});

describe("the agent that the control plane serves", () => {
  it("[E29] enrols a machine by the command that is printed, as it stands, and names itself in what comes next", async () => {
    const add = nexus.cli(["targets", "add", "served", "--no-wait", "--json"]);
    expect(await add.exit()).toBe(0);
    const { fromHere, command, secret } = JSON.parse(add.stdout);
    expect(command).toBe(`npx nexus-agent enroll ${secret}`);
    const [url] = /http\S+/.exec(fromHere.command) ?? [];
    const bytes = Buffer.from(await (await fetch(`${url}`)).arrayBuffer());
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(fromHere.sha256);
    const plainly = await fetch(`${nexus.url}/agent/nexus-agent.tgz`);
    expect(Buffer.from(await plainly.arrayBuffer()).equals(bytes)).toBe(true);
    expect((await fetch(`${nexus.url}/agent/nexus-agent-000000000000.tgz`)).status).toBe(404);

    const enrol = new Child(["sh", "-c", `${fromHere.command} --allow-root`], {
      cwd: folder,
      env: {
        PATH: [dirname(process.execPath), process.env.PATH].join(":"),
        HOME: folder,
        NEXUS_AGENT_HOME: join(folder, "agent"),
        NEXUS_GPUS: "none",
        npm_config_cache: join(folder, "cache"),
        npm_config_ignore_scripts: "true",
        npm_config_update_notifier: "false",
      },
    });
    expect(await enrol.exit(), enrol.stdout + enrol.stderr).toBe(0);
    expect(enrol.stdout).toMatch(/Enrolled as served/);
    expect(enrol.stdout).toContain(`Next:\n  npx ${url} install-service `);
  });

  it("[E29] without a terminal, `targets add` says that it waits", async () => {
    const add = nexus.cli(["targets", "add", "late"]);
    await add.says("Waiting for it to connect");
    await add.says("npx nexus-agent enroll ");
    await add.kill("SIGINT");
  });
});

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Nexus, type NexusAgent } from "../harness/nexus.ts";
import { until } from "../harness/until.ts";

/** Numbered lines, slowly enough that a kill falls in the middle. */
const LINES = 400;
const script = `i=0; while [ $i -lt ${LINES} ]; do i=$((i+1)); echo "line $i of the log"; sleep 0.01; done; exit 42`;
const wholeLog = Array.from({ length: LINES }, (_, index) => `line ${index + 1} of the log\n`).join("");

describe("kill -9 in mid-job", () => {
  let nexus: Nexus;
  let agent: NexusAgent;
  beforeAll(async () => {
    nexus = await Nexus.start();
    agent = await nexus.addAgent({ name: "node" });
  });
  afterAll(() => nexus?.dispose());

  async function startLong(): Promise<string> {
    const job = await nexus.submit({ command: ["sh", "-c", script], gpus: 0 });
    await until("the log has begun", async () => (await nexus.job(job.id)).logBytes > 200);
    return job.id;
  }

  async function expectWhole(id: string): Promise<void> {
    expect(await nexus.ended(id)).toMatchObject({ state: "failed", exitCode: 42, attemptNumber: 1 });
    const log = await nexus.log(id);
    expect(digest(log)).toBe(digest(Buffer.from(wholeLog)));
  }

  it("[W7] of the agent: the same job goes on, no byte lost or doubled, the right exit code", async () => {
    const id = await startLong();
    await agent.kill("SIGKILL");
    agent.start();
    await expectWhole(id);
  });

  it("[W8] of the control plane: likewise", async () => {
    const id = await startLong();
    await nexus.server.kill("SIGKILL");
    await nexus.startServer();
    await expectWhole(id);
  });

  it("[W16] of Postgres: likewise, and the control plane ends by itself", async () => {
    const id = await startLong();
    process.kill(await postmasterOf(nexus), "SIGKILL");
    expect(await nexus.server.exit()).toBe(69);
    await nexus.startServer();
    await expectWhole(id);
  });

  it("[W9] of both, and the job ends while nobody watches: likewise", async () => {
    const id = await startLong();
    await Promise.all([nexus.server.kill("SIGKILL"), agent.kill("SIGKILL")]);
    await nexus.startServer();
    agent.start();
    await expectWhole(id);
  });
});

async function postmasterOf({ home }: Nexus): Promise<number> {
  return Number((await readFile(join(home, "postgres/data/postmaster.pid"), "utf8")).split("\n")[0]);
}

function digest(bytes: Buffer): string {
  return `${bytes.length} ${createHash("sha256").update(bytes).digest("hex")}`;
}

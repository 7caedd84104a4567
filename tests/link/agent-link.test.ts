import { cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AttemptExit, JobStart } from "@nexus/shared/protocol/messages";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  startTestControlPlane,
  type TestControlPlane,
} from "../../apps/web/src/server/gateway/testing/test-control-plane.ts";
import type { Child } from "../harness/child.ts";
import { until } from "../harness/until.ts";
import { createTestAgent, enrolledAgent, shellJob, type TestAgent } from "./link-fixture.ts";

let plane: TestControlPlane;
let scratch: string;
const agents: TestAgent[] = [];

beforeAll(async () => {
  plane = await startTestControlPlane({ probeMs: 500 });
  scratch = await mkdtemp(join(tmpdir(), "nexus-link-"));
  plane.port.onInventory = (parts) => [
    {
      type: "sync",
      attempts: parts
        .flatMap((part) => part.attempts)
        .map(({ attempt, fence }) => ({ attempt, fence, want: "adopt", logBytes: stored(attempt).length })),
    },
  ];
});
afterAll(async () => {
  await plane.close();
  await rm(scratch, { recursive: true, force: true });
});
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.dispose();
});

const stored = (attempt: string): Buffer => plane.port.logs.get(attempt) ?? Buffer.alloc(0);

type Node = { agent: TestAgent; nodeId: string; targetId: number; running: Child };

async function startNode(): Promise<Node> {
  const agent = await enrolledAgent(plane);
  agents.push(agent);
  const running = agent.command(["run", "--allow-root"]);
  await running.says("connected to");
  const { nodeId } = JSON.parse((await commandOutput(agent, ["status", "--json"])).output).node;
  return { agent, nodeId, targetId: (await plane.targetRow(nodeId)).id, running };
}

async function commandOutput(agent: TestAgent, args: string[]): Promise<{ code: number; output: string }> {
  const child = agent.command(args);
  return { code: await child.exit(), output: child.stdout + child.stderr };
}

function send(node: Node, job: JobStart): void {
  expect(plane.hub.send(node.targetId, { type: "start", jobs: [job] })).toBe(true);
}

async function exitOf(attempt: string): Promise<AttemptExit> {
  const isIt = (args: unknown[]) =>
    (args[0] as { attempts: AttemptExit[] }).attempts?.find((one) => one.attempt === attempt);
  const record = await plane.port.seen("exited", ({ args }) => isIt(args) !== undefined).catch(() => null);
  const exit = record === null ? undefined : isIt(record.args);
  if (exit === undefined) throw new Error(`no exit of ${attempt}`);
  return exit;
}

/** Also when the exit came with an inventory. */
async function storedWhole(attempt: string, text: string): Promise<void> {
  await until(`the log of ${attempt} is whole`, async () => stored(attempt).length >= text.length, 60_000);
  expect(stored(attempt).toString()).toBe(text);
}

const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`).join("");
const printLines = (from: number, to: number) =>
  `i=${from}; while [ $i -lt ${to} ]; do echo "line $i"; i=$((i+1)); done`;
const waitFor = (gate: string) => `while [ ! -e ${gate} ]; do sleep 0.05; done`;

describe("a node at work", () => {
  it("[P29] the log arrives while the job writes, then its exit; forget removes both", async () => {
    const node = await startNode();
    const gate = join(scratch, "gate-1");
    send(node, shellJob("a_first", `echo begun; ${waitFor(gate)}; echo done; exit 7`));
    await plane.port.seen("started", ({ args }) => JSON.stringify(args).includes("a_first"));
    await until("the first line is stored", async () => stored("a_first").toString() === "begun\n");
    await writeFile(gate, "");
    expect(await exitOf("a_first")).toMatchObject({ exitCode: 7, reason: "exited", logBytes: 11 });
    await storedWhole("a_first", "begun\ndone\n");
    plane.hub.send(node.targetId, { type: "forget", attempts: ["a_first"] });
    await until("its folder is gone", async () => {
      return (await readdir(join(node.agent.home, "attempts"))).length === 0;
    });
  });

  it("[P37] an agent that is killed in the middle of a log goes on with no byte lost and none doubled", async () => {
    const node = await startNode();
    const gate = join(scratch, "gate-2");
    const script = `${printLines(0, 3000)}; ${waitFor(gate)}; ${printLines(3000, 6000)}; exit 42`;
    send(node, shellJob("a_killed", script));
    await until("some of the log is stored", async () => stored("a_killed").length > 1000);
    await node.running.kill("SIGKILL");
    await writeFile(gate, "");
    const again = node.agent.command(["run", "--allow-root"]);
    await again.says("connected to");
    await storedWhole("a_killed", lines(0, 6000));
    await until("the exit was told", async () =>
      JSON.stringify(plane.port.records).includes('"attempt":"a_killed","fence":1,"exitCode":42'),
    );
  });

  it("[P37] a control plane that dies in the middle of a log is found again, and the log goes on where it stood", async () => {
    const node = await startNode();
    const gate = join(scratch, "gate-3");
    const script = `${printLines(0, 3000)}; ${waitFor(gate)}; ${printLines(3000, 6000)}`;
    send(node, shellJob("a_restart", script));
    await until("some of the log is stored", async () => stored("a_restart").length > 1000);
    await plane.restart();
    await writeFile(gate, "");
    await storedWhole("a_restart", lines(0, 6000));
    expect(node.running.isRunning).toBe(true);
  });

  it("[P37] connections that are cut again and again do not hurt a long log", async () => {
    const node = await startNode();
    const gates = [1, 2, 3].map((cut) => join(scratch, `gate-cut-${cut}`));
    const linesOfPart = 75_000;
    const part = (at: number) => printLines(at * linesOfPart, (at + 1) * linesOfPart);
    // There is more to come after each cut.
    const script = [part(0), ...gates.flatMap((gate, at) => [waitFor(gate), part(at + 1)])].join("; ");
    send(node, shellJob("a_cut", script));
    let before = 0;
    for (const gate of gates) {
      await until("more of it is stored", async () => stored("a_cut").length > before);
      await until("it is connected", async () => plane.hub.isConnected(node.targetId));
      plane.hub.disconnect(node.targetId, "silent");
      // Counted before the gate opens: whatever the next part brings is more than this.
      before = stored("a_cut").length;
      await writeFile(gate, "");
    }
    await storedWhole("a_cut", lines(0, (gates.length + 1) * linesOfPart));
    const sessions = plane.port.records.filter(
      (record) => record.call === "connected" && record.node.targetId === node.targetId,
    );
    expect(sessions).toHaveLength(4);
  });

  it("[P38] a start that cannot be is answered with its reason, and answered again until it is forgotten", async () => {
    const node = await startNode();
    const job = { ...shellJob("a_nowhere", "true"), cwd: "/no/such/folder" };
    send(node, job);
    const exit = await exitOf("a_nowhere");
    expect(exit).toMatchObject({
      reason: "start_failed",
      message: expect.stringContaining("/no/such/folder"),
    });
    const told = () => JSON.stringify(plane.port.records).split('"attempt":"a_nowhere"').length - 1;
    const before = told();
    send(node, job);
    await until("it is told again", async () => told() > before);
  });

  it("[P38] an attempt that is stopped before it came is reported as cancelled, and does not start afterwards", async () => {
    const node = await startNode();
    plane.hub.send(node.targetId, {
      type: "stop",
      attempt: "a_early",
      fence: 1,
      reason: "cancelled",
      graceMs: 0,
    });
    expect(await exitOf("a_early")).toMatchObject({ reason: "cancelled", logBytes: 0 });
    const marker = join(scratch, "must-not-exist");
    send(node, shellJob("a_early", `touch ${marker}`));
    send(node, shellJob("a_after", "true"));
    await exitOf("a_after");
    expect(await readdir(scratch)).not.toContain("must-not-exist");
  });

  it("[P39] SIGTERM closes the link and leaves jobs running, and says so", async () => {
    const node = await startNode();
    const gate = join(scratch, "gate-4");
    send(node, shellJob("a_stays", `${waitFor(gate)}; exit 5`));
    await plane.port.seen("started", ({ args }) => JSON.stringify(args).includes("a_stays"));
    expect(await node.running.kill("SIGTERM")).toBe(0);
    expect(node.running.stderr).toContain("1 job goes on running");
    await writeFile(gate, "");
    const again = node.agent.command(["run", "--allow-root"]);
    await again.says("connected to");
    await until("the exit was told", async () =>
      JSON.stringify(plane.port.records).includes('"attempt":"a_stays","fence":1,"exitCode":5'),
    );
  });
});

describe("one identity, one agent", () => {
  it("[P40] a second agent on the same home is refused with the pid of the first", async () => {
    const node = await startNode();
    const { code, output } = await commandOutput(node.agent, ["run", "--allow-root"]);
    expect(code).toBe(75);
    expect(output).toContain(String(node.running.process.pid));
    const enrolling = await commandOutput(node.agent, ["enroll", "nxe1_x", "--force", "--allow-root"]);
    expect(enrolling).toMatchObject({ code: 75, output: expect.stringContaining("Stop it before") });
  });

  it("[P34] a copied disk is refused for good with exit code 78; the node itself stays connected", async () => {
    const node = await startNode();
    const copy = await createTestAgent();
    agents.push(copy);
    await cp(join(node.agent.home, "identity.json"), join(copy.home, "identity.json"));
    await node.running.kill("SIGTERM");
    const again = node.agent.command(["run", "--allow-root"]);
    await again.says("connected to");
    const { code, output } = await commandOutput(copy, ["run", "--allow-root"]);
    expect(code).toBe(78);
    expect(output).toContain("Another copy of this node's disk");
    expect(again.isRunning).toBe(true);
  });

  it("[P34] a node that is removed from the fleet ends with exit code 78 and keeps its identity", async () => {
    const node = await startNode();
    await plane.revoke(node.nodeId);
    plane.hub.disconnect(node.targetId, "revoked");
    expect(await node.running.exit()).toBe(78);
    expect(node.running.stderr).toContain("removed from the fleet");
    expect(await readdir(node.agent.home)).toContain("identity.json");
    expect((await commandOutput(node.agent, ["run", "--allow-root"])).code).toBe(78);
  });
});

describe("status and unenroll", () => {
  it("[E23] status tells identity, server and connection, for people and for programs, and no secret", async () => {
    const node = await startNode();
    const text = await commandOutput(node.agent, ["status"]);
    expect(text.output).toMatch(/Node .*\nControl plane .*\n.*identity +SHA256:/);
    const connected = await until(
      "the status says connected",
      async () => {
        const { output } = await commandOutput(node.agent, ["status", "--json"]);
        const status = JSON.parse(output);
        return status.agent?.state === "connected" && output;
      },
      60_000,
    );
    expect(JSON.parse(connected)).toMatchObject({
      running: true,
      pid: node.running.process.pid,
      node: { nodeId: node.nodeId, origin: plane.origin },
    });
    expect(connected).not.toContain("seed");
    await node.running.kill("SIGTERM");
    expect((await commandOutput(node.agent, ["status"])).output).toContain("not running");
    const nobody = await createTestAgent();
    agents.push(nobody);
    expect(await commandOutput(nobody, ["status"])).toMatchObject({
      code: 66,
      output: expect.stringContaining("not enrolled"),
    });
  });

  it("[E23] a server that is away is named in the status with the next attempt", async () => {
    const own = await startTestControlPlane();
    const agent = await enrolledAgent(own);
    agents.push(agent);
    await own.close();
    const running = agent.command(["run", "--allow-root"]);
    await running.says(/next attempt in \d+ s.*connection refused/);
    await until(
      "the status says so",
      async () => (await commandOutput(agent, ["status"])).output.match(/not connected .*connection refused/),
      60_000,
    );
    expect(running.isRunning).toBe(true);
  });

  it("[E13] unenroll says goodbye to the server and takes the identity away; while in use only with --force", async () => {
    const node = await startNode();
    const busy = await commandOutput(node.agent, ["unenroll"]);
    expect(busy).toMatchObject({ code: 75, output: expect.stringContaining("--force") });
    expect((await commandOutput(node.agent, ["unenroll", "--force"])).code).toBe(0);
    expect(await node.running.exit()).toBe(78);
    expect(await readdir(node.agent.home)).not.toContain("identity.json");
    expect((await plane.targetRow(node.nodeId)).state).toBe("revoked");
  });

  it("[E13] when the server cannot be told, the identity stays unless it is forced", async () => {
    const own = await startTestControlPlane();
    const agent = await enrolledAgent(own);
    agents.push(agent);
    await own.close();
    const refused = await commandOutput(agent, ["unenroll"]);
    expect(refused).toMatchObject({ code: 69, output: expect.stringMatching(/cannot be reached.*--force/) });
    expect(await readdir(agent.home)).toContain("identity.json");
    expect((await commandOutput(agent, ["unenroll", "--force"])).code).toBe(0);
    expect(await readdir(agent.home)).not.toContain("identity.json");
  });
});

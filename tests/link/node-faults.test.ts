/** The agent's program on disks that fail and with GPUs that it learns about from its journal. */
import { closeSync, existsSync, fsyncSync, openSync, writeFileSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgentMessage, AttemptExit, MessageOf } from "@nexus/shared/protocol/messages";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  startTestControlPlane,
  type TestControlPlane,
} from "../../apps/web/src/server/gateway/testing/test-control-plane.ts";
import {
  canMount,
  mountDisk,
  mountThinDisk,
  type SmallDisk,
} from "../../apps/web/src/server/logs/testing/small-disk.ts";
import type { Child } from "../harness/child.ts";
import { until } from "../harness/until.ts";
import { enrolledAgent, shellJob, type TestAgent } from "./link-fixture.ts";

let plane: TestControlPlane;
let scratch: string;
const cleanups: (() => unknown)[] = [];

beforeAll(async () => {
  plane = await startTestControlPlane({ probeMs: 500 });
  scratch = await mkdtemp(join(tmpdir(), "nexus-faults-"));
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
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

const stored = (attempt: string): Buffer => plane.port.logs.get(attempt) ?? Buffer.alloc(0);
const said = <T extends AgentMessage["type"]>(type: T): MessageOf<AgentMessage, T>[] =>
  plane.port.records
    .flatMap(({ args }) => args as AgentMessage[])
    .filter((message): message is MessageOf<AgentMessage, T> => message?.type === type);
const exitOf = (attempt: string): Promise<AttemptExit> =>
  until(`the exit of ${attempt}`, async () =>
    said("exited")
      .flatMap(({ attempts }) => attempts)
      .find((one) => one.attempt === attempt),
  );
/** A file that a job waits for. It is there at the end in any case: jobs outlive their agents. */
function gateOf(name: string): string {
  const gate = join(scratch, name);
  cleanups.push(() => writeFileSync(gate, ""));
  return gate;
}
const waitFor = (gate: string) => `while [ ! -e ${gate} ]; do sleep 0.05; done`;

type Node = { agent: TestAgent; targetId: number; running: Child };

async function startNode(home?: string, env: Record<string, string> = {}): Promise<Node> {
  const agent = await enrolledAgent(plane, home);
  cleanups.push(() => agent.dispose());
  const running = agent.command(["run", "--allow-root"], { env });
  await running.says("connected to");
  const status = agent.command(["status", "--json"]);
  await status.exit();
  return { agent, targetId: (await plane.targetRow(JSON.parse(status.stdout).node.nodeId)).id, running };
}

// tidy-allow skip: mounts a disk, for which a machine must let its user be root
describe.skipIf(!canMount())("a node whose disk", () => {
  it("[P47] [J41] is full says so, declines what it is sent, and says when it is well again", async () => {
    const disk = mountDisk("size=8m");
    cleanups.push(() => unmount(disk));
    const node = await startNode(join(disk.path, "home"));
    const filler = join(disk.path, "filler");
    fill(filler);
    plane.hub.send(node.targetId, { type: "start", jobs: [shellJob("a_nowhere", "true")] });
    const exit = await exitOf("a_nowhere");
    expect(exit).toMatchObject({
      reason: "start_failed",
      nodeFault: { code: "disk_full", message: expect.stringContaining("free space there") },
    });
    await node.running.says("nothing is started here: its disk is full");
    expect(said("faults").map(({ faults }) => faults)).toEqual([[exit.nodeFault]]);
    const status = node.agent.command(["status"]);
    expect(await status.exit()).toBe(0);
    expect(status.stdout).toContain("Starts         refused: its disk is full");
    await rm(filler);
    await until("the end of the fault", async () => said("faults").length === 2);
    expect(said("faults")[1]?.faults).toEqual([]);
    plane.hub.send(node.targetId, { type: "forget", attempts: ["a_nowhere"] });
    plane.hub.send(node.targetId, { type: "start", jobs: [{ ...shellJob("a_again", "exit 4"), fence: 2 }] });
    expect(await exitOf("a_again")).toMatchObject({ exitCode: 4 });
  });

  it("[P48] fills up while a job writes tells from which byte on its log may lack something, at each connect", async () => {
    const disk = mountDisk("size=8m");
    cleanups.push(() => unmount(disk));
    const node = await startNode(join(disk.path, "home"));
    const gate = gateOf("gate-writer");
    const script = `echo begun; ${waitFor(gate)}; echo lost; rm ${join(disk.path, "filler")}; echo kept`;
    plane.hub.send(node.targetId, { type: "start", jobs: [shellJob("a_writer", script)] });
    await until("it runs", async () => stored("a_writer").toString() === "begun\n");
    fill(join(disk.path, "filler"));
    const gap = { attempt: "a_writer", fence: 1, offset: 6 };
    const gaps = () => said("log_gap").flatMap(({ attempts }) => attempts);
    await until("the gap is told", async () => gaps().length > 0);
    expect(gaps()).toEqual([gap]);
    await node.running.says("nothing is started here: its disk is full");
    plane.hub.disconnect(node.targetId, "silent");
    await until("it is told again", async () => gaps().length === 2);
    expect(gaps()).toEqual([gap, gap]);
    writeFileSync(gate, "");
    expect(await exitOf("a_writer")).toMatchObject({ exitCode: 0 });
  });

  it("[J50] does not take its journal ends with a sentence, and its jobs go on under the next agent", async () => {
    const disk = mountThinDisk();
    cleanups.push(() => unmount(disk));
    const node = await startNode(join(disk.path, "home"));
    const gate = gateOf("gate-broken");
    plane.hub.send(node.targetId, {
      type: "start",
      jobs: [shellJob("a_goeson", `echo begun; ${waitFor(gate)}; echo done; exit 6`)],
    });
    await until("it runs", async () => stored("a_goeson").toString() === "begun\n");
    exhaust(join(disk.path, "filler"));
    // More lines than the journal has room for in the block that it has already.
    const jobs = Array.from({ length: 60 }, (_, index) => shellJob(`a_late${index}`, "true"));
    plane.hub.send(node.targetId, { type: "start", jobs });
    // 74 where the kernel says of the lost write that the disk is full, 70 where it says that it failed.
    expect([70, 74]).toContain(await node.running.exit());
    expect(node.running.stderr).toMatch(/The journal .* cannot be made durable: /);
    expect(node.running.stderr).toContain(
      "running jobs go on, and the next start of the agent takes them over",
    );
    disk.makeRoom();
    const again = node.agent.command(["run", "--allow-root"]);
    await again.says("connected to");
    writeFileSync(gate, "");
    await until("its log is whole", async () => stored("a_goeson").toString() === "begun\ndone\n");
    expect(await exitOf("a_goeson")).toMatchObject({ exitCode: 6 });
  });
});

it("[J17] simulated GPUs still show the job that holds them after the agent was restarted", async () => {
  const env = { NEXUS_GPUS: "sim:2x16GiB" };
  const node = await startNode(undefined, env);
  const gate = gateOf("gate-sim");
  const uuid = await until("its GPUs are told", async () => said("telemetry").at(-1)?.gpus[1]?.uuid);
  const job = { ...shellJob("a_holder", waitFor(gate)), gpus: [uuid] };
  plane.hub.send(node.targetId, { type: "start", jobs: [job] });
  const holders = () =>
    said("telemetry")
      .at(-1)
      ?.gpus.map(({ processes }) => processes.map(({ attempt }) => attempt));
  await until("it holds its GPU", async () => JSON.stringify(holders()) === '[[],["a_holder"]]');
  await node.running.kill("SIGKILL");
  plane.port.records.length = 0;
  const again = node.agent.command(["run", "--allow-root"], { env });
  await again.says("connected to");
  await until("it still does", async () => JSON.stringify(holders()) === '[[],["a_holder"]]');
  writeFileSync(gate, "");
  await until("its GPU is free", async () => JSON.stringify(holders()) === "[[],[]]");
});

/** The launcher ends a moment after its agent. */
async function unmount(disk: SmallDisk): Promise<void> {
  await until("the disk is free", async () => {
    disk.unmount();
    return true;
  });
}

/** Until the disk takes no more. */
function fill(path: string): void {
  const fd = openSync(path, "w");
  try {
    for (;;) writeSync(fd, Buffer.alloc(4096));
  } catch (error) {
    expect(error).toMatchObject({ code: "ENOSPC" });
  } finally {
    closeSync(fd);
  }
}

/** Until what is below the disk takes no more: writes succeed, and are lost. */
function exhaust(path: string): void {
  const fd = openSync(path, "w");
  try {
    for (let mib = 0; mib < 8; mib += 1) {
      writeSync(fd, Buffer.alloc(1024 * 1024, 1));
      fsyncSync(fd);
    }
  } catch (error) {
    expect(error).toMatchObject({ code: expect.stringMatching(/^(EIO|ENOSPC)$/) });
  } finally {
    closeSync(fd);
  }
  expect(existsSync(path)).toBe(true);
}

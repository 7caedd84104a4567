import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { attemptFolders } from "../../logs/segment-path.ts";
import { canMount, mountDisk } from "../../logs/testing/small-disk.ts";
import {
  exitOf,
  inventoryOf,
  simulatedGpus,
  startTestServices,
  type TestNode,
} from "../testing/test-services.ts";

// tidy-allow skip: mounts a disk, for which a machine must let its user be root
describe.skipIf(!canMount())("a log folder on a disk that is full", () => {
  test("[L13] nothing is acked, people are told, and the node is asked again until there is room", async () => {
    const disk = mountDisk("size=1m");
    const t = await startTestServices({ logRetryMs: 20 }, disk.path);
    const node = await t.addTarget("gpu1", { gpus: simulatedGpus(1) });
    await node.connect();
    const id = await t.submit({ command: ["a"] });
    const start = await node.startOf(id);
    const text = randomBytes(50_000).toString("hex");
    writeFileSync(join(disk.path, "ballast"), Buffer.alloc(1024 * 1024 - 60_000));

    expect(await node.log(start, 0, text)).toEqual([]);
    const notice = () => t.services.fleet.get(t.alice.teamId, "gpu1").notice;
    expect(notice()).toMatchObject({
      level: "error",
      code: "log_store_full",
      message: expect.stringContaining("full"),
    });
    const trouble = {
      code: "store_full",
      message: expect.stringMatching(
        /^the control plane cannot store more of this log now, its node keeps the rest.* is full/,
      ),
      offset: null,
    };
    expect((await t.services.getJob(t.alice, id)).logTroubles).toEqual([trouble]);
    expect(t.services.logTroubles({ id, attempt: start.attempt })).toEqual([trouble]);
    expect(t.services.problems()).toEqual([
      {
        code: "log_store_full",
        message: expect.stringMatching(/^The control plane cannot store the logs of 1 job now/),
      },
    ]);
    expect(await node.exited(start, { logBytes: text.length })).toEqual([]);
    expect((await t.services.getJob(t.alice, id)).logTroubles).toEqual([trouble]);
    const asked = { type: "log_ack", attempt: start.attempt, logBytes: 0, rewind: true, again: true };
    await t.until(() => node.sent.some((message) => JSON.stringify(message) === JSON.stringify(asked)));
    expect(await node.log(start, 0, text)).toEqual([]);

    rmSync(join(disk.path, "ballast"));
    // As a node does, which sends when it is asked; it may have been asked between the last try and the room.
    const stored = await t.until(async () => {
      const answers = await node.log(start, 0, text);
      return answers.length > 0 && answers;
    });
    expect(stored).toEqual([
      { type: "log_ack", attempt: start.attempt, logBytes: text.length, rewind: false },
      { type: "forget", attempts: [start.attempt] },
    ]);
    expect(notice()).toBeNull();
    expect((await t.services.getJob(t.alice, id)).logTroubles).toEqual([]);
    expect(t.services.problems()).toEqual([]);
    expect(await t.services.logState(t.alice, id)).toEqual({ logBytes: text.length, logEnded: true });
    await t.close();
    disk.unmount();
  });
});

test("[L13] a log that the store cannot take waits alone: the node's other logs and its session go on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "nexus-bad-log-"));
  const t = await startTestServices({ logRetryMs: 20 }, folder);
  const node = await t.addTarget("gpu1", { gpus: simulatedGpus(2) });
  await node.connect();
  const [bad, good] = [await t.submit({ command: ["a"] }), await t.submit({ command: ["b"] })];
  const [badStart, goodStart] = [await node.startOf(bad), await node.startOf(good)];
  // A file where the attempt's folder belongs: each look at it fails.
  const inTheWay = attemptFolders(folder, badStart.attempt);
  mkdirSync(inTheWay.letters, { recursive: true });
  writeFileSync(inTheWay.attempt, "");

  expect(await node.log(badStart, 0, "lost?")).toEqual([]);
  expect(await node.log(goodStart, 0, "fine")).toMatchObject([
    { type: "log_ack", logBytes: 4, rewind: false },
  ]);
  expect((await t.services.getJob(t.alice, bad)).logTroubles).toMatchObject([
    { code: "store_failing", message: expect.stringContaining("ENOTDIR") },
  ]);
  expect((await t.services.getJob(t.alice, good)).logTroubles).toEqual([]);
  expect(t.services.fleet.get(t.alice.teamId, "gpu1").notice).toMatchObject({ code: "log_store_failing" });
  expect(await node.exited(goodStart, { logBytes: 4 })).toMatchObject([{ type: "forget" }]);
  expect(await node.exited(badStart, { logBytes: 5 })).toEqual([]);
  // It comes back with its whole story, and still only that one log waits.
  await node.disconnect();
  const answers = await node.connect([
    inventoryOf(badStart, { state: "exited", exit: exitOf(badStart, { logBytes: 5 }) }),
  ]);
  expect(answers).toEqual([
    { type: "sync", attempts: [{ attempt: badStart.attempt, fence: 1, want: "adopt", logBytes: 0 }] },
  ]);

  rmSync(inTheWay.attempt);
  const before = node.sent.length;
  await t.until(() => node.sent.slice(before).some((message) => message.type === "log_ack"));
  expect(await node.log(badStart, 0, "lost?")).toMatchObject([{ type: "log_ack" }, { type: "forget" }]);
  expect((await t.services.getJob(t.alice, bad)).logTroubles).toEqual([]);
  expect(t.services.fleet.get(t.alice.teamId, "gpu1").notice).toBeNull();
  await t.close();
  rmSync(folder, { recursive: true });
});

test("[L22] where a node's full disk may have cost output is told once, with the byte, and stays known", async () => {
  const t = await startTestServices();
  const node = await t.addTarget("gpu1", { gpus: simulatedGpus(1) });
  const other = await t.addTarget("other");
  await node.connect();
  const id = await t.submit({ command: ["a"] });
  const start = await node.startOf(id);
  await node.started(start);
  const gap = { attempt: start.attempt, fence: 1, offset: 4096 };
  const tell = async (by: TestNode, one = gap) =>
    await t.services.agentPort.logGap(by.session, { type: "log_gap", attempts: [one] });
  await tell(other);
  await tell(node, { ...gap, fence: 2 });
  expect((await t.services.getJob(t.alice, id)).logTroubles).toEqual([]);
  await tell(node);
  await tell(node, { ...gap, offset: 9999 });
  const message = "the disk of gpu1 was full while it ran: output may be missing from byte 4096 on";
  const troubles = [{ code: "node_disk_full", message, offset: 4096 }];
  expect((await t.services.getJob(t.alice, id)).logTroubles).toEqual(troubles);
  expect(t.services.logTroubles({ id, attempt: start.attempt })).toEqual(troubles);
  const noted = (await t.services.listJobEvents(t.alice, id)).filter(({ type }) => type === "noted");
  expect(noted).toMatchObject([{ actor: "gpu1", state: "running", message }]);
  await t.restart();
  expect(t.services.logTroubles({ id, attempt: start.attempt })).toEqual(troubles);
  await node.connect([inventoryOf(start, { state: "exited", exit: exitOf(start) })]);
  expect(await t.services.getJob(t.alice, id)).toMatchObject({ state: "succeeded", logTroubles: troubles });
  expect(t.services.logTroubles({ id, attempt: start.attempt })).toBeNull();
  await t.close();
});

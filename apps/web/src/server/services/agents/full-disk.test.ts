import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { canMount, mountDisk } from "../../logs/testing/small-disk.ts";
import { simulatedGpus, startTestServices } from "../testing/test-services.ts";

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
    expect(await node.exited(start, { logBytes: text.length })).toEqual([]);
    const asked = { type: "log_ack", attempt: start.attempt, logBytes: 0, rewind: true };
    await t.until(() => node.sent.some((message) => JSON.stringify(message) === JSON.stringify(asked)));
    expect(await node.log(start, 0, text)).toEqual([]);

    rmSync(join(disk.path, "ballast"));
    const before = node.sent.length;
    await t.until(() => node.sent.slice(before).some((message) => message.type === "log_ack"));
    expect(await node.log(start, 0, text)).toEqual([
      { ...asked, logBytes: text.length, rewind: false },
      { type: "forget", attempts: [start.attempt] },
    ]);
    expect(notice()).toBeNull();
    expect(await t.services.logState(t.alice, id)).toEqual({ logBytes: text.length, logEnded: true });
    await t.close();
    disk.unmount();
  });
});

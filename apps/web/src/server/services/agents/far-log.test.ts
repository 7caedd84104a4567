import { expect, test } from "vitest";
import { createTestS3Store, startS3Server } from "../../logs/testing/s3-server.ts";
import { simulatedGpus, startTestServices } from "../testing/test-services.ts";

test("[L31] a bucket that is away holds up no job's end; its log is closed and the node may forget it once the bucket has it", async () => {
  const server = await startS3Server();
  const home = createTestS3Store(server);
  const t = await startTestServices({ logRetryMs: 20 }, undefined, () => home.open());
  const node = await t.addTarget("gpu1", { gpus: simulatedGpus(1) });
  await node.connect();
  const [first, second] = [await t.submit({ command: ["a"] }), await t.submit({ command: ["b"] })];
  const start = await node.startOf(first);
  const forgets = (attempt: string) =>
    node.sent.some((message) => message.type === "forget" && message.attempts.includes(attempt));

  await server.kill();
  expect(await node.log(start, 0, "all of it")).toEqual([
    { type: "log_ack", attempt: start.attempt, logBytes: 9, rewind: false },
  ]);
  expect(await node.exited(start, { logBytes: 9 })).toEqual([]);
  expect((await t.services.getJob(t.alice, first)).state).toBe("succeeded");
  // Its GPU is free for the next one.
  const next = await node.startOf(second);
  await t.until(() => t.services.problems().some(({ code }) => code === "log_bucket_away"));
  expect(forgets(start.attempt)).toBe(false);
  expect(await t.services.logState(t.alice, first)).toEqual({ logBytes: 9, logEnded: false });

  await server.start();
  await t.until(() => forgets(start.attempt));
  expect(await t.services.logState(t.alice, first)).toEqual({ logBytes: 9, logEnded: true });
  expect(await home.keys()).toHaveLength(1);

  // A log that ended is not taken for an empty one while the bucket is away.
  await t.restart(async () => await server.kill());
  await expect(t.services.logState(t.alice, first)).rejects.toMatchObject({ code: "unavailable" });
  const read = t.services.readLog(t.alice, first, { offset: 0, limit: 9 });
  await expect(read).rejects.toMatchObject({ code: "unavailable" });
  expect(next.attempt).not.toBe(start.attempt);
  await t.close();
  await home.clean();
  await server.clean();
});

import { afterEach, beforeEach, expect, it } from "vitest";
import { exitOf, inventoryOf, startTestServices, type TestServices } from "../testing/test-services.ts";

let test: TestServices;
beforeEach(async () => {
  test = await startTestServices();
});
afterEach(() => test.close());

it("[L12] a node that lost the end of a log after it told its size is waited for no longer than it has bytes", async () => {
  const node = await test.addTarget("box");
  await node.connect();
  const job = await test.submit({ command: ["true"] });
  const start = await node.startOf(job);
  await node.started(start);
  await node.log(start, 0, "four");
  expect(await node.exited(start, { logBytes: 10 })).toEqual([]);
  // Its power was cut: of the ten bytes six are gone.
  await node.disconnect();
  const exit = exitOf(start, { reason: "vanished", exitCode: null, logBytes: 4 });
  const [sync] = await node.connect([inventoryOf(start, { state: "exited", logBytes: 4, exit })]);
  expect(sync).toMatchObject({ type: "sync", attempts: [{ attempt: start.attempt, want: "forget" }] });
  expect(await test.services.logState(test.alice, job)).toMatchObject({ logEnded: true });
  expect((await test.services.getJob(test.alice, job)).state).toBe("succeeded");
});

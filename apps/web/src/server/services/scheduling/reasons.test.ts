import { afterEach, beforeEach, expect, test } from "vitest";
import {
  simulatedGpus,
  startTestServices,
  type TestNode,
  type TestServices,
} from "../testing/test-services.ts";

let t: TestServices;
let node: TestNode;
const MINUTE = 60_000;

beforeEach(async () => {
  t = await startTestServices();
  node = await t.addTarget("gpu1", { gpus: simulatedGpus(1) });
  await node.connect();
});
afterEach(() => t.close());

test("[S24] a holder's likely end is known from the same command's runs, also after a restart", async () => {
  for (const ranMs of [10 * MINUTE, 11 * MINUTE, 12 * MINUTE]) {
    const start = await node.startOf(await t.submit({ command: ["train"] }));
    await node.exited(start, { ranMs });
  }
  const holder = await t.submit({ command: ["train"] });
  const start = await node.startOf(holder);
  await node.started(start);
  const waiting = await t.submit({ command: ["other"] });
  const endsInMs = async () => {
    const { reason } = await t.services.getJob(t.alice, waiting);
    return reason?.code === "busy" && reason.holders[0]?.job === holder ? reason.holders[0].endsInMs : null;
  };
  const isAboutEleven = (ms: number | null) => ms !== null && ms > 10.8 * MINUTE && ms <= 11 * MINUTE;
  expect(isAboutEleven(await t.until(endsInMs))).toBe(true);

  await t.restart();
  await node.connect([
    {
      attempt: start.attempt,
      fence: start.fence,
      state: "running",
      pid: 4711,
      startedAgoMs: 0,
      logBytes: 0,
      exit: null,
    },
  ]);
  expect(isAboutEleven(await t.until(endsInMs))).toBe(true);
});

test("[S25] after a restart a waiting job has its reason from the first read on", async () => {
  await node.startOf(await t.submit({ command: ["a"] }));
  const waiting = await t.submit({ command: ["b"] });
  expect(await t.services.getJob(t.alice, waiting)).toMatchObject({ reason: { code: "busy" } });
  await t.restart();
  expect(await t.services.getJob(t.alice, waiting)).toMatchObject({
    reason: { code: "offline", targets: ["gpu1"] },
  });
});

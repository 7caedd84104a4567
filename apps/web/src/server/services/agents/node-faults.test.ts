import { explainReason } from "@nexus/shared/scheduler/reason";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TargetRow } from "../../db/queries/list-fleet.ts";
import { createLiveFleet } from "../fleet/live-fleet.ts";
import {
  simulatedGpus,
  startTestServices,
  type TestNode,
  type TestServices,
} from "../testing/test-services.ts";

const FULL = { code: "disk_full", message: "its disk is full (0 MiB free at /srv/nexus); free space there" };
const REFUSED = { exitCode: null, reason: "start_failed", message: "disk full", nodeFault: FULL } as const;

let t: TestServices;
let node: TestNode;
beforeEach(async () => {
  t = await startTestServices();
  node = await t.addTarget("gpu1", { gpus: simulatedGpus(2) });
  await node.connect();
});
afterEach(async () => {
  expect(t.problems).toEqual([]);
  await t.close();
});

const ROW: TargetRow = {
  id: 1,
  publicId: "t_1",
  teamId: "tm_1",
  name: "gpu1",
  kind: "agent",
  state: "connected",
  stateSinceMs: 0,
  cordoned: false,
  draining: false,
  labels: {},
  facts: null,
  lastSeenAtMs: null,
  createdAtMs: 0,
};

const jobOf = (id: string) => t.services.getJob(t.alice, id);
const noticeOf = (name: string) => t.services.fleet.get(t.alice.teamId, name).notice;
const whyOf = async (id: string) => {
  const { reason } = await jobOf(id);
  return reason === null ? null : explainReason(reason);
};
const why = `node gpu1 refuses starts: ${FULL.message}`;

test("[P49] a target says that its disk is low, also to a control plane that just began, until there is room", async () => {
  const of = (diskFreeMib: number) => node.sample([], 0, { diskFreeMib, diskTotalMib: 200 * 1024 });
  of(11_000);
  expect(noticeOf("gpu1")).toBeNull();
  // Nothing but the sample says it: the agent told its own person before this server began.
  of(9_000);
  expect(noticeOf("gpu1")).toMatchObject({
    level: "warning",
    code: "disk_low",
    message: expect.stringContaining("The disk of its home is low: 8.8 GiB of 200.0 GiB free."),
  });
  of(8_000);
  expect(noticeOf("gpu1")?.message).toContain("7.8 GiB of 200.0 GiB");
  of(11_000);
  expect(noticeOf("gpu1")?.message).toContain("10.7 GiB");
  of(14_000);
  expect(noticeOf("gpu1")).toBeNull();
});

test("[J47] [S23] a start that the node's fault refused is no failure: the job waits, says why, and starts when the node is well", async () => {
  const id = await t.submit({ command: ["a"] });
  const first = await node.startOf(id);
  node.faults([FULL]);
  expect(await node.exited(first, REFUSED)).toEqual([{ type: "forget", attempts: [first.attempt] }]);
  // Told twice, it changes nothing.
  expect(await node.exited(first, REFUSED)).toEqual([{ type: "forget", attempts: [first.attempt] }]);
  await t.until(async () => (await whyOf(id)) === why);
  expect(await jobOf(id)).toMatchObject({ state: "queued", target: null, gpuUuids: [], startedAtMs: null });
  expect(noticeOf("gpu1")).toMatchObject({
    level: "error",
    code: "disk_full",
    message: `It refuses starts: ${FULL.message}.`,
  });
  const held = [{ code: "held", message: `it waits: ${why}`, offset: null }];
  expect((await jobOf(id)).logTroubles).toEqual(held);
  expect(t.services.logTroubles({ id, attempt: first.attempt })).toEqual(held);
  const late = await t.submit({ command: ["b"] });
  await t.until(async () => (await whyOf(late)) === why);
  await expect(t.submit({ command: ["c"] }, { immediate: true })).rejects.toMatchObject({
    code: "target_busy",
    message: `It cannot start now: ${why}.`,
  });
  expect(node.starts()).toHaveLength(1);

  t.clock.skewMs += 2_000;
  node.faults([]);
  const second = await node
    .startOf(id)
    .then(() => t.until(() => node.starts().findLast((one) => one.job === id && one.fence === 2)));
  expect(second.attempt).not.toBe(first.attempt);
  expect(noticeOf("gpu1")).toBeNull();
  await node.startOf(late);
  await node.started(second);
  // What the node says of the attempt that never began is over.
  await node.exited(first, REFUSED);
  await node.exited(second);
  expect(await jobOf(id)).toMatchObject({ state: "succeeded" });
  const events = await t.services.listJobEvents(t.alice, id);
  expect(events.map(({ type }) => type)).toEqual([
    "submitted",
    "place",
    "decline",
    "place",
    "start",
    "succeed",
  ]);
  expect(events[2]).toMatchObject({
    state: "queued",
    actor: "gpu1",
    message: `it refuses starts: ${FULL.message}`,
  });
});

test("[S19] a burst of refusals is one pause, and jobs go elsewhere meanwhile", async () => {
  const ids = await Promise.all(Array.from({ length: 4 }, () => t.submit({ command: ["a"], gpus: 0 })));
  const starts = await Promise.all(ids.map((id) => node.startOf(id)));
  await Promise.all(starts.map((start) => node.exited(start, REFUSED)));
  expect(await Promise.all(ids.map(async (id) => (await jobOf(id)).state))).toEqual(ids.map(() => "queued"));
  const other = await t.addTarget("cpu1");
  await other.connect();
  for (const id of ids) expect((await other.startOf(id)).fence).toBe(2);
  expect(node.starts()).toHaveLength(4);
});

test("[S19] a node that refuses without saying what is wrong is asked again, later each time", () => {
  const fleet = createLiveFleet();
  const target = fleet.put(ROW, []);
  let nowMs = 1_000_000;
  const waits: number[] = [];
  for (let round = 0; round < 8; round += 1) {
    fleet.decline(target, FULL, nowMs);
    const untilMs = target.view.hold?.untilMs ?? 0;
    waits.push((untilMs - nowMs) / 1000);
    // What was on its way changes nothing.
    fleet.decline(target, FULL, nowMs + 1);
    expect(target.view.hold?.untilMs).toBe(untilMs);
    expect(fleet.endPauses(untilMs - 1)).toEqual([]);
    expect(fleet.endPauses(untilMs)).toEqual([target]);
    nowMs = untilMs + 1;
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
  // After a while without trouble it begins anew; what the node says lasts as long as it says so.
  nowMs += 600_000;
  fleet.decline(target, FULL, nowMs);
  expect(target.view.hold).toMatchObject({ untilMs: nowMs + 1000, sinceMs: nowMs });
  fleet.setFaults(target, [FULL], nowMs + 5);
  expect(target.view.hold).toMatchObject({ untilMs: null, sinceMs: nowMs });
  fleet.setFaults(target, [], nowMs + 10);
  expect(target.view.hold).toMatchObject({ untilMs: nowMs + 1000 });
  // A row that is read again forgets nothing of it.
  fleet.put(ROW, []);
  expect(target.view.hold).toMatchObject({ untilMs: nowMs + 1000 });
});

test("[S19] a node says at its connect what is wrong with it, and a pause ends by itself", async () => {
  await node.disconnect();
  await node.connect([], [FULL]);
  const id = await t.submit({ command: ["a"] });
  await t.until(async () => (await whyOf(id)) === why);
  await node.disconnect();
  await node.connect();
  const start = await node.startOf(id);
  expect(noticeOf("gpu1")).toBeNull();
  await node.exited(start, REFUSED);
  expect(noticeOf("gpu1")).toMatchObject({ code: "disk_full" });
  t.clock.skewMs += 2_000;
  await t.until(() => noticeOf("gpu1") === null);
  await t.until(() => node.starts().length === 2);
});

test("[J47] a job that was to be cancelled is, and one whose own fault it was fails", async () => {
  const [cancelled, broken] = [await t.submit({ command: ["a"] }), await t.submit({ command: ["b"] })];
  const [first, second] = [await node.startOf(cancelled), await node.startOf(broken)];
  await t.services.cancelJobs(t.alice, { jobs: [cancelled] });
  await node.exited(first, REFUSED);
  expect((await jobOf(cancelled)).state).toBe("cancelled");
  await node.exited(second, { exitCode: null, reason: "start_failed", message: "no such folder" });
  expect(await jobOf(broken)).toMatchObject({ state: "failed", message: "no such folder" });
});

test("[J47] a refusal that waited out a restart of the control plane counts the same", async () => {
  const id = await t.submit({ command: ["a"] });
  const start = await node.startOf(id);
  await t.restart();
  const exit = {
    attempt: start.attempt,
    fence: 1,
    signal: null,
    logBytes: 0,
    ranMs: null,
    endedAgoMs: 5,
    leftovers: [],
    ...REFUSED,
  };
  const named = {
    attempt: start.attempt,
    fence: 1,
    state: "exited",
    pid: null,
    startedAgoMs: null,
    logBytes: 0,
    exit,
  } as const;
  const answers = await node.connect([named], [FULL]);
  expect(answers).toContainEqual({
    type: "sync",
    attempts: [{ attempt: start.attempt, fence: 1, want: "forget", logBytes: 0 }],
  });
  await t.until(async () => (await whyOf(id)) === why);
});

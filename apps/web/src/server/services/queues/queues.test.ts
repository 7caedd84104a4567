import { explainReason } from "@nexus/shared/scheduler/reason";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  simulatedGpus,
  startTestServices,
  type TestNode,
  type TestServices,
} from "../testing/test-services.ts";

let t: TestServices;
let node: TestNode;

beforeAll(async () => {
  t = await startTestServices();
  node = await t.addTarget("gpu1", { gpus: simulatedGpus(4), labels: { role: "train" } });
  await node.connect();
  const other = await t.addTarget("gpu2", { gpus: simulatedGpus(2), labels: { role: "infer" } });
  await other.connect();
});
afterAll(() => t?.close());

const why = async (id: string) => {
  const { reason } = await t.services.getJob(t.alice, id);
  return reason && explainReason(reason);
};
const queueOf = async (name: string) =>
  (await t.services.listQueues(t.alice)).find((queue) => queue.name === name);

describe("what a queue allows", () => {
  test("[S28] [S29] its selector holds from the moment it is set, on top of what a job asks for", async () => {
    const research = await t.services.putQueue(t.alice, {
      name: "research",
      selector: { labels: { role: "train" }, targets: [] },
    });
    expect(research).toMatchObject({
      selector: { labels: { role: "train" }, targets: [] },
      targetsSelected: 1,
    });
    const placed = await t.submit({ command: ["a"], queue: "research", gpus: 2 });
    await t.until(async () => (await t.services.getJob(t.alice, placed)).target?.name === "gpu1");
    const elsewhere = await t.submit({ command: ["b"], queue: "research", target: "gpu2" });
    expect(await why(elsewhere)).toBe("queue research runs only on role=train; no target there matches gpu2");
    await expect(
      async () => await t.submit({ command: ["b"], queue: "research", target: "gpu2" }, { immediate: true }),
    ).rejects.toMatchObject({ code: "unsatisfiable" });
    await t.services.putQueue(t.alice, { name: "research", selector: { labels: {}, targets: ["gpu2"] } });
    await t.until(async () => (await t.services.getJob(t.alice, elsewhere)).target?.name === "gpu2");
    await t.services.renameTarget(t.alice, { target: "gpu2", name: "renamed" });
    expect((await queueOf("research"))?.selector.targets).toEqual(["renamed"]);
    await t.services.renameTarget(t.alice, { target: "renamed", name: "gpu2" });
    await expect(
      async () =>
        await t.services.putQueue(t.alice, { name: "research", selector: { labels: {}, targets: ["gpu9"] } }),
    ).rejects.toMatchObject({ code: "not_found", message: expect.stringContaining("no target gpu9") });
  });

  test("[S28] a target that leaves does not open the queue to the others, and stays named", async () => {
    const gone = await t.addTarget("gpu3", { gpus: simulatedGpus(1) });
    await gone.connect();
    const selector = { labels: {}, targets: ["gpu3"] };
    await t.services.putQueue(t.alice, { name: "lonely", selector });
    await t.services.removeTarget(t.alice, { target: "gpu3", force: false });
    const id = await t.submit({ command: ["a"], queue: "lonely" });
    expect(await why(id)).toBe("queue lonely runs only on gpu3; no target matches that");
    expect(await t.services.putQueue(t.alice, { name: "lonely", priority: 3, selector })).toMatchObject({
      selector,
      targetsSelected: 0,
    });
    await t.services.cancelJobs(t.alice, { jobs: [id] });
  });

  test("[S26] GPUs held at once are limited, of all and of each person; what is not named stays as it is", async () => {
    await t.services.putQueue(t.alice, { name: "nightly", gpusMax: 2, userGpusMax: 1, priority: 7 });
    expect(await t.services.putQueue(t.alice, { name: "nightly", paused: false })).toMatchObject({
      ...{ priority: 7, paused: false, runningMax: null, gpusMax: 2, userRunningMax: null, userGpusMax: 1 },
    });
    const spec = { command: ["a"], queue: "nightly", gpus: 1, target: "gpu1" };
    const mine = [await t.submit(spec), await t.submit(spec)];
    expect(await why(mine[1] ?? "")).toMatch(
      /^alice holds the limit of 1 GPU a person in queue nightly; held by alice's job j_/,
    );
    await t.services.putQueue(t.alice, { name: "nightly", userGpusMax: null });
    await node.startOf(mine[1] ?? "");
    expect(await queueOf("nightly")).toMatchObject({ running: 2, gpusHeld: 2 });
    const theirs = await t.submit(spec, { principal: t.bob });
    expect(await why(theirs)).toMatch(/^queue nightly holds its limit of 2 GPUs/);
    for (const id of mine) await node.exited(await node.startOf(id));
    await node.exited(await node.startOf(theirs));
  });

  test("[S27] a wide job gets its turn in a queue that narrow ones keep full, across restarts of the plan", async () => {
    await t.services.putQueue(t.alice, { name: "full", gpusMax: 2 });
    const narrow = { command: ["a"], queue: "full", gpus: 1, target: "gpu1" };
    const first = await t.submit(narrow);
    const start = await node.startOf(first);
    const wide = await t.submit({ ...narrow, gpus: 2 });
    const late = await t.submit(narrow, { principal: t.bob });
    expect(await why(late)).toBe(
      `queue full keeps the rest of its limit of 2 GPUs for ${wide}, which is ahead`,
    );
    await node.exited(start);
    const wideStart = await node.startOf(wide);
    expect(node.starts().some(({ job }) => job === late)).toBe(false);
    await node.exited(wideStart);
    await node.exited(await node.startOf(late));
  });

  test("[J53] who adds a queue does not change one, who changes one does not make it", async () => {
    await expect(
      async () => await t.services.putQueue(t.alice, { name: "full", only: "new" }),
    ).rejects.toMatchObject({ code: "conflict" });
    await expect(
      async () => await t.services.putQueue(t.alice, { name: "fresh", only: "existing" }),
    ).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("jobs move in the line", () => {
  test("[J52] to another queue, a priority or the top, while they wait, by whom they are or an admin", async () => {
    await t.services.putQueue(t.alice, { name: "held", paused: true });
    await t.services.putQueue(t.alice, { name: "held2", paused: true });
    const first = await t.submit({ command: ["a"], queue: "held", priority: 5 }, { principal: t.bob });
    const second = await t.submit({ command: ["b"], queue: "held" }, { principal: t.bob });
    const mine = await t.submit({ command: ["c"], queue: "held" });
    const moved = await t.services.moveJobs(t.bob, { jobs: [second, mine, "j_none"], top: true });
    expect(moved.results).toEqual([
      { job: second, ok: true, message: "moved to queue held, priority 6" },
      { job: mine, ok: false, message: "it is alice's; only they and admins may move it" },
      { job: "j_none", ok: false, message: "there is no such job" },
    ]);
    const line = await t.services.listJobs(t.alice, {
      ...{ queue: "held", states: ["queued"], order: "line", limit: 10 },
    });
    expect(line.jobs.map(({ id }) => id)).toEqual([second, first, mine]);
    await t.services.moveJobs(t.alice, { jobs: [first, second], queue: "held2", priority: -1, top: false });
    expect(await queueOf("held")).toMatchObject({ queued: 1 });
    expect(await queueOf("held2")).toMatchObject({ queued: 2 });
    expect(await t.services.getJob(t.alice, first)).toMatchObject({ queue: "held2", priority: -1 });
    expect(await t.services.listJobEvents(t.alice, first)).toContainEqual(
      expect.objectContaining({ actor: "alice", message: "moved to queue held2, priority -1" }),
    );
    await t.restart();
    expect(await queueOf("held2")).toMatchObject({ queued: 2 });
    await t.services.cancelJobs(t.alice, { jobs: [first, second, mine] });
    const over = await t.services.moveJobs(t.alice, { jobs: [first], top: true });
    expect(over.results).toEqual([{ job: first, ok: false, message: "it is over" }]);
    await node.connect();
  });
});

describe("a queue is removed", () => {
  test("[J53] when it is empty, or what waits and runs goes on elsewhere; what ended keeps its name", async () => {
    await t.services.putQueue(t.alice, { name: "old" });
    await t.services.putQueue(t.alice, { name: "new", runningMax: 1 });
    const spec = { command: ["a"], queue: "old", gpus: 0, target: "gpu1" };
    const ended = await t.submit(spec);
    await node.exited(await node.startOf(ended));
    const running = await t.submit(spec);
    const start = await node.startOf(running);
    await t.services.putQueue(t.alice, { name: "old", paused: true });
    const waiting = await t.submit(spec);
    const remove = (input: { name: string; moveTo?: string }) => t.services.removeQueue(t.alice, input);
    await expect(async () => await remove({ name: "old" })).rejects.toMatchObject({
      code: "invalid_state",
      message: expect.stringContaining("1 wait and 1 run"),
    });
    await expect(async () => await remove({ name: "default" })).rejects.toMatchObject({
      code: "invalid_state",
    });
    await expect(async () => await remove({ name: "old", moveTo: "nowhere" })).rejects.toMatchObject({
      code: "not_found",
    });
    expect(await remove({ name: "old", moveTo: "new" })).toEqual({ ok: true, moved: 2 });
    expect(await queueOf("old")).toBeUndefined();
    expect(await queueOf("new")).toMatchObject({ running: 1, queued: 1 });
    // The next round of planning finds it.
    await expect.poll(() => why(waiting)).toMatch(/^queue new runs its limit of 1 job/);
    await expect(async () => await t.submit(spec)).rejects.toMatchObject({ code: "not_found" });
    await t.services.putQueue(t.alice, { name: "old" });
    expect(await queueOf("old")).toMatchObject({ paused: false, running: 0, queued: 0 });
    expect(await t.services.getJob(t.alice, ended)).toMatchObject({ queue: "old" });
    await node.exited(start);
    await node.exited(await node.startOf(waiting));
    expect(await remove({ name: "old" })).toEqual({ ok: true, moved: 0 });
    const audit = await t.db.sql`
      select detail from audit_event where action like 'queue.%' and subject in ('old', 'nightly') order by id`;
    expect(audit.map((row) => row.detail)).toEqual(
      expect.arrayContaining([
        "Queue nightly: priority 7, open, at most 2 GPUs at once, 1 GPU a person.",
        "Queue old removed; 2 of its jobs went on in new.",
        "Queue old removed.",
      ]),
    );
  });

  test("[J53] a submission that found the queue just before is refused, not kept in a queue that is gone", async () => {
    await t.services.putQueue(t.alice, { name: "short" });
    const spec = { command: ["a"], queue: "short", gpus: 0 };
    const answers = await Promise.allSettled([
      t.services.removeQueue(t.alice, { name: "short" }),
      ...Array.from({ length: 5 }, () => t.submit(spec)),
    ]);
    const jobs = answers.slice(1);
    const removed = answers[0]?.status === "fulfilled";
    expect(jobs.every(({ status }) => (status === "rejected") === removed)).toBe(true);
  });
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  exitOf,
  inventoryOf,
  simulatedGpus,
  startTestServices,
  type TestNode,
  type TestServices,
} from "../testing/test-services.ts";

let t: TestServices;
let node: TestNode;
let other: TestNode;
beforeAll(async () => {
  t = await startTestServices();
  node = await t.addTarget("gpu1", { gpus: simulatedGpus(2) });
  other = await t.addTarget("other");
});
beforeEach(async () => {
  await other.connect();
  await node.connect();
});
afterEach(async () => {
  expect(t.problems.splice(0)).toEqual([]);
  await t.restart(async () => {
    await t.db.sql`delete from gpu_lease`;
    await t.db.sql`update attempt set ended_at = now(), closed_at = now() where closed_at is null`;
    await t.db
      .sql`update job set state = 'cancelled' where state in ('queued', 'assigned', 'starting', 'running', 'unreachable')`;
  });
});
afterAll(() => t.close());

const stateOf = async (id: string) => (await t.services.getJob(t.alice, id)).state;
const rowsOf = async (id: string) =>
  await t.db
    .sql`select type, state from job_event where job_id = (select id from job where public_id = ${id}) order by id`;
const wantsOf = (answers: Awaited<ReturnType<TestNode["connect"]>>) =>
  answers.flatMap((answer) => (answer.type === "sync" ? answer.attempts : []));

describe("reports of nodes", () => {
  test("[J4] a job for a target without GPUs gets none by default", async () => {
    const id = await t.submit({ command: ["a"], target: "other" });
    expect((await other.startOf(id)).gpus).toEqual([]);
    expect((await t.services.getJob(t.alice, id)).gpus).toBe(0);
  });

  test("[J15] whatever is said twice, late or out of order changes nothing the second time", async () => {
    const id = await t.submit({ command: ["a"] });
    const start = await node.startOf(id);
    await node.started(start);
    await node.started(start, { pid: 99 });
    const forget = [{ type: "forget", attempts: [start.attempt] }];
    expect(await node.exited(start, { exitCode: 3 })).toEqual(forget);
    const before = await rowsOf(id);
    expect(await node.exited(start, { exitCode: 0 })).toEqual(forget);
    await node.started(start);
    expect(await t.services.getJob(t.alice, id)).toMatchObject({ state: "failed", exitCode: 3 });
    expect(await rowsOf(id)).toEqual(before);
    expect(await t.db.sql`select pid from attempt where public_id = ${start.attempt}`).toEqual([
      { pid: 4711 },
    ]);
  });

  test("[J15] an exit may come before its start, and both may come at once", async () => {
    const [first, second] = [await t.submit({ command: ["a"] }), await t.submit({ command: ["b"] })];
    const start = await node.startOf(first);
    await node.exited(start, { exitCode: 0 });
    await node.started(start);
    expect(await stateOf(first)).toBe("succeeded");
    const late = await node.startOf(second);
    await Promise.all([node.exited(late), node.started(late)]);
    expect((await rowsOf(second)).map((row) => row.type)).toEqual(["submitted", "place", "start", "succeed"]);
  });

  test("[J16] only the node that leases the latest attempt speaks for it", async () => {
    const id = await t.submit({ command: ["a"] });
    const start = await node.startOf(id);
    await other.started(start);
    expect(await other.exited(start)).toEqual([]);
    await node.started(start, { fence: 2 });
    expect(await node.exited({ attempt: start.attempt, fence: 0 })).toEqual([]);
    expect(await node.exited({ attempt: "a_0000000000", fence: 1 })).toEqual([]);
    expect(await stateOf(id)).toBe("starting");
    expect(await node.exited(start)).toHaveLength(1);
  });

  test("[J16] numbers that no row can hold do not stop the reports of others", async () => {
    const id = await t.submit({ command: ["a"] });
    const start = await node.startOf(id);
    await node.started(start, { pid: 2 ** 40 });
    await node.exited(start, { exitCode: 2 ** 40, ranMs: 2 ** 52, endedAgoMs: 2 ** 52 });
    const job = await t.services.getJob(t.alice, id);
    expect(job).toMatchObject({ state: "failed", exitCode: null });
    // Else what a node says would make it history that may be forgotten.
    expect(job.endedAtMs).toBeGreaterThanOrEqual(job.createdAtMs);
  });
});

describe("coming back", () => {
  test("[J17] after a restart of the control plane running jobs are adopted and finish once", async () => {
    const id = await t.submit({ command: ["a"] });
    const start = await node.startOf(id);
    await node.started(start);
    await node.log(start, 0, "half");
    await t.restart();
    // The next sweep, 10 ms later, may have missed it already.
    expect(["connecting", "unreachable"]).toContain(t.services.fleet.get(t.alice.teamId, "gpu1").state);
    expect(["running", "unreachable"]).toContain(await stateOf(id));
    const answers = await node.connect([inventoryOf(start, { logBytes: 4 })]);
    expect(answers).toEqual([
      { type: "sync", attempts: [{ attempt: start.attempt, fence: 1, want: "adopt", logBytes: 4 }] },
    ]);
    expect(t.services.fleet.get(t.alice.teamId, "gpu1").gpus[0]?.holders).toHaveLength(1);
    await node.exited(start, { logBytes: 4, exitCode: 5 });
    expect(await t.services.getJob(t.alice, id)).toMatchObject({ state: "failed", exitCode: 5, logBytes: 4 });
    expect((await rowsOf(id)).filter((row) => row.type === "start")).toHaveLength(1);
  });

  test("[J17] what ended while nobody listened is taken from the inventory, and its log after it", async () => {
    const id = await t.submit({ command: ["a"] });
    const start = await node.startOf(id);
    await t.restart();
    const exit = exitOf(start, { exitCode: 9, logBytes: 3 });
    const answers = await node.connect([inventoryOf(start, { state: "exited", logBytes: 3, exit })]);
    expect(wantsOf(answers)).toEqual([{ attempt: start.attempt, fence: 1, want: "adopt", logBytes: 0 }]);
    expect(await t.services.getJob(t.alice, id)).toMatchObject({ state: "failed", exitCode: 9 });
    expect(await node.log(start, 0, "end")).toEqual([
      { type: "log_ack", attempt: start.attempt, logBytes: 3, rewind: false },
      { type: "forget", attempts: [start.attempt] },
    ]);
    const again = await node.connect([inventoryOf(start, { state: "exited", logBytes: 3, exit })]);
    expect(wantsOf(again)).toEqual([{ attempt: start.attempt, fence: 1, want: "forget", logBytes: 0 }]);
  });

  test("[J17] a start that did not arrive is sent with the next connect", async () => {
    const id = await t.submit({ command: ["a"], env: { A: "1" } });
    const start = await node.startOf(id);
    await t.restart();
    const answers = await node.connect();
    expect(answers.at(-1)).toEqual({ type: "start", jobs: [start] });
    await node.started(start);
    expect(await stateOf(id)).toBe("running");
  });

  test("[J17] a job that ran and that its node knows no more is lost, and its GPU free", async () => {
    const id = await t.submit({ command: ["a"], gpus: 2 });
    const next = await t.submit({ command: ["b"] });
    await node.started(await node.startOf(id));
    await node.disconnect();
    await node.connect();
    expect(await t.services.getJob(t.alice, id)).toMatchObject({
      state: "lost",
      message: expect.stringContaining("no longer knows it"),
    });
    await node.startOf(next);
  });

  test("[J18] what the server does not know is unclaimed, and what it gave up is stopped", async () => {
    const mystery = { attempt: "a_zzzzzzzzzz", fence: 1 };
    expect(wantsOf(await node.connect([inventoryOf(mystery)]))).toEqual([
      { ...mystery, want: "unclaimed", logBytes: 0 },
    ]);
    const id = await t.submit({ command: ["a"] });
    const start = await node.startOf(id);
    await node.started(start);
    await node.connect();
    expect(await stateOf(id)).toBe("lost");
    expect(wantsOf(await node.connect([inventoryOf(start)]))).toMatchObject([{ want: "stop" }]);
    expect(wantsOf(await other.connect([inventoryOf(start)]))).toMatchObject([{ want: "unclaimed" }]);
  });

  test("[J18] a job of a silent node is unreachable, keeps its lease, and runs again when the node is back", async () => {
    const id = await t.submit({ command: ["a"], gpus: 2 });
    const waiting = await t.submit({ command: ["b"] });
    const start = await node.startOf(id);
    await node.started(start);
    await node.disconnect();
    await t.until(async () => (await stateOf(id)) === "unreachable");
    expect(await t.services.getJob(t.alice, id)).toMatchObject({ unreachableSinceMs: expect.any(Number) });
    expect(await t.db.sql`select * from gpu_lease`).toHaveLength(2);
    const reason = await t.until(async () => {
      const told = (await t.services.getJob(t.alice, waiting)).reason;
      return told?.code === "offline" && told;
    });
    expect(reason).toMatchObject({ targets: ["gpu1"] });
    await node.connect([inventoryOf(start)]);
    expect(await t.services.getJob(t.alice, id)).toMatchObject({
      state: "running",
      unreachableSinceMs: null,
    });
    expect((await rowsOf(id)).slice(-2).map((row) => row.type)).toEqual(["silence", "return"]);
  });

  test("[J18] a silent target is offline in time, and an older session's end does not end a newer one", async () => {
    const before = node.session;
    await node.connect();
    await t.services.agentPort.disconnected(before, "late");
    expect(t.services.fleet.get(t.alice.teamId, "gpu1").state).toBe("connected");
    await node.disconnect();
    expect(t.services.fleet.get(t.alice.teamId, "gpu1").state).toBe("unreachable");
    t.clock.skewMs = 3_600_000;
    await t.until(() => t.services.fleet.get(t.alice.teamId, "gpu1").state === "offline");
    t.clock.skewMs = 0;
    await t.until(async () => {
      const [row] = await t.db.sql`select state from target where name = 'gpu1'`;
      return row?.state === "offline";
    });
  });
});

describe("what can go wrong in between", () => {
  test("[J11] a cancel while its node is away is carried out when it is back", async () => {
    const id = await t.submit({ command: ["a"], graceMs: 7 });
    const start = await node.startOf(id);
    await node.started(start);
    await node.disconnect();
    await t.until(async () => (await stateOf(id)) === "unreachable");
    const { results } = await t.services.cancelJobs(t.alice, { jobs: [id] });
    expect(results[0]).toMatchObject({ ok: true, message: expect.stringContaining("is away") });
    const answers = await node.connect([inventoryOf(start)]);
    expect(wantsOf(answers)).toMatchObject([{ want: "stop" }]);
    expect(answers.at(-1)).toMatchObject({ type: "stop", attempt: start.attempt, graceMs: 7 });
    await node.exited(start, { reason: "cancelled", exitCode: null });
    expect(await stateOf(id)).toBe("cancelled");
  });

  test("[J11] one that was cancelled before it began is not started when its node is back", async () => {
    const id = await t.submit({ command: ["a"] });
    await node.startOf(id);
    await node.disconnect();
    await t.services.cancelJobs(t.alice, { jobs: [id] });
    expect(await node.connect()).toEqual([]);
    expect(await stateOf(id)).toBe("cancelled");
    expect(await t.db.sql`select * from gpu_lease`).toHaveLength(0);
  });

  test("[J11] a cancel that no socket took is sent again, and a job whose start never left ends without one", async () => {
    const running = await t.submit({ command: ["a"], graceMs: 7 });
    const start = await node.startOf(running);
    await node.started(start);
    node.setStuck(true);
    const unsent = await t.submit({ command: ["b"] });
    await t.services.cancelJobs(t.alice, { jobs: [running, unsent] });
    await t.until(async () => (await stateOf(unsent)) === "cancelled");
    node.setStuck(false);
    const stop = await t.until(() =>
      node.sent.find((message) => message.type === "stop" && message.attempt === start.attempt),
    );
    expect(stop).toMatchObject({ graceMs: 7 });
    await node.exited(start, { reason: "cancelled", exitCode: null });
    expect(await stateOf(running)).toBe("cancelled");
    expect(node.starts().some((one) => one.job === unsent)).toBe(false);
  });

  test("[J17] one that its node had accepted and not begun when it came back is recorded when it begins", async () => {
    const id = await t.submit({ command: ["a"] });
    const start = await node.startOf(id);
    await node.disconnect();
    await t.until(async () => (await stateOf(id)) === "unreachable");
    await node.connect([inventoryOf(start, { state: "recorded", pid: null, startedAgoMs: null })]);
    await node.started(start);
    const job = await t.services.getJob(t.alice, id);
    expect(job.state).toBe("running");
    expect(job.startedAtMs).not.toBeNull();
    await node.exited(start);
  });

  test("[J19] a start that no socket took is sent again, and placed elsewhere when its node leaves before", async () => {
    node.setStuck(true);
    const id = await t.submit({ command: ["a"] });
    expect(await stateOf(id)).toBe("assigned");
    expect(node.starts().some((start) => start.job === id)).toBe(false);
    node.setStuck(false);
    await node.startOf(id);

    node.setStuck(true);
    const second = await t.submit({ command: ["b"] });
    expect(await stateOf(second)).toBe("assigned");
    await node.disconnect();
    node.setStuck(false);
    await t.until(async () => (await stateOf(second)) === "queued");
    const helper = await t.addTarget("helper", { gpus: simulatedGpus(1) });
    await helper.connect();
    expect(await helper.startOf(second)).toMatchObject({ fence: 2 });
    await t.services.removeTarget(t.alice, { target: "helper", force: true });
  });

  test("[J19] a placement whose job changed meanwhile is dropped, and planned again from what is true", async () => {
    await node.disconnect();
    const id = await t.submit({ command: ["a"] });
    await t.db.sql`update job set version = version + 1 where public_id = ${id}`;
    await node.connect();
    const start = await node.startOf(id);
    expect(start.fence).toBe(1);
    expect(await t.db.sql`select id from attempt where public_id = ${start.attempt}`).toHaveLength(1);
    expect(t.problems.splice(0).join()).toMatch(/differ from the database|^$/);
  });

  test("[J19] a lease that memory does not know of keeps its GPU, and the submission is taken all the same", async () => {
    const holder = await t.submit({ command: ["a"] });
    await node.startOf(holder);
    await node.exited(await node.startOf(holder));
    await t.db.sql`
      insert into gpu_lease (gpu_id, attempt_id)
      select g.id, a.id from gpu g, attempt a
      where g.uuid = 'GPU-sim-0' and a.job_id = (select id from job where public_id = ${holder})`;
    const id = await t.submit({ command: ["b"] });
    expect(await stateOf(id)).toBe("queued");
    expect(t.problems.splice(0).join()).toContain("refused by the database");
    await t.db.sql`delete from gpu_lease`;
    t.clock.skewMs += 60_000;
    await t.services.putQueue(t.alice, { name: "default", priority: 0, paused: false, runningMax: null });
    await node.startOf(id);
    t.clock.skewMs = 0;
    t.problems.splice(0);
  });

  test("[J18] a target is removed only when idle or by force, and its jobs are then lost", async () => {
    const doomed = await t.addTarget("doomed", { gpus: [], labels: { kind: "doomed" } });
    await doomed.connect();
    const id = await t.submit({ command: ["a"], labels: { kind: "doomed" } });
    await doomed.started(await doomed.startOf(id));
    const remove = (force: boolean) => t.services.removeTarget(t.alice, { target: "doomed", force });
    await expect(async () => await remove(false)).rejects.toMatchObject({ code: "invalid_state" });
    expect(await remove(true)).toEqual({ ok: true });
    expect(await t.services.getJob(t.alice, id)).toMatchObject({
      state: "lost",
      message: "doomed was removed from the fleet",
    });
    expect(t.services.fleet.find(t.alice.teamId, "doomed")).toBeNull();
  });
});

describe("logs of nodes", () => {
  test("[L10] a frame at the size is stored and acked, another one is answered with the size", async () => {
    const start = await node.startOf(await t.submit({ command: ["a"] }));
    const ack = (logBytes: number, rewind: boolean) => [
      { type: "log_ack", attempt: start.attempt, logBytes, rewind },
    ];
    expect(await node.log(start, 0, "one\n")).toEqual(ack(4, false));
    expect(await node.log(start, 0, "one\n")).toEqual(ack(4, true));
    expect(await node.log(start, 10, "gap")).toEqual(ack(4, true));
    expect(await node.log(start, 4, "two\n")).toEqual(ack(8, false));
  });

  test("[L12] who follows a log hears its end, also when the last byte comes while the exit is written down", async () => {
    const id = await t.submit({ command: ["a"] });
    const start = await node.startOf(id);
    await node.log(start, 0, "one");
    const follower = t.services.followLog(t.alice, id, { signal: AbortSignal.timeout(10_000) });
    const seen: string[] = [];
    const { promise: first, resolve: hasSeenFirst } = Promise.withResolvers<void>();
    const followed = (async () => {
      for await (const { bytes } of follower) {
        seen.push(new TextDecoder().decode(bytes));
        hasSeenFirst();
      }
    })();
    await first;
    const exited = node.exited(start, { logBytes: 6 });
    await node.log(start, 3, "two");
    await exited;
    await followed;
    expect(seen.join("")).toBe("onetwo");
    expect(await t.services.logState(t.alice, id)).toEqual({ logBytes: 6, logEnded: true });
  });

  test("[L11] bytes of another node, another fence or an unknown attempt change nothing", async () => {
    const id = await t.submit({ command: ["a"] });
    const start = await node.startOf(id);
    expect(await other.log(start, 0, "x")).toEqual([]);
    expect(await node.log({ ...start, fence: 2 }, 0, "x")).toEqual([]);
    expect(await node.log({ attempt: "a_zzzzzzzzzz", fence: 1 }, 0, "x")).toEqual([]);
    expect(await t.services.logState(t.alice, id)).toEqual({ logBytes: 0, logEnded: false });
    await node.exited(start);
    expect(await node.log(start, 0, "x")).toEqual([{ type: "forget", attempts: [start.attempt] }]);
  });

  test("[L12] an attempt is forgotten when it ended and its log is whole, whichever comes last", async () => {
    const id = await t.submit({ command: ["a"] });
    const start = await node.startOf(id);
    await node.log(start, 0, "all of it");
    expect(await node.exited(start, { logBytes: 12 })).toEqual([]);
    expect(await t.services.logState(t.alice, id)).toEqual({ logBytes: 9, logEnded: false });
    expect(await node.exited(start, { logBytes: 12 })).toEqual([]);
    expect(await node.log(start, 9, "...")).toHaveLength(2);
    expect(await t.services.logState(t.alice, id)).toEqual({ logBytes: 12, logEnded: true });
    const slice = await t.services.readLog(t.alice, id, { offset: 7, limit: 3 });
    expect({ ...slice, bytes: new TextDecoder().decode(slice.bytes) }).toMatchObject({
      bytes: "it.",
      offset: 7,
      size: 12,
      ended: true,
    });
  });

  test("[L14] a follower of a waiting job gets its log when it runs, to the end", async () => {
    const holder = await t.submit({ command: ["a"], gpus: 2 });
    const id = await t.submit({ command: ["b"] });
    let read = "";
    const following = (async () => {
      for await (const { bytes } of t.services.followLog(t.alice, id, {
        signal: new AbortController().signal,
      })) {
        read += new TextDecoder().decode(bytes);
      }
    })();
    await node.exited(await node.startOf(holder));
    const start = await node.startOf(id);
    await node.log(start, 0, "1\n");
    await node.log(start, 2, "2\n");
    await node.exited(start, { logBytes: 6 });
    await node.log(start, 4, "3\n");
    await following;
    expect(read).toBe("1\n2\n3\n");
    const none = await t.submit({ command: ["c"], gpus: 2 });
    await node.exited(await node.startOf(none), { reason: "start_failed", exitCode: null });
    for await (const _ of t.services.followLog(t.alice, none, { signal: new AbortController().signal })) {
      throw new Error("there is nothing to read");
    }
  });
});

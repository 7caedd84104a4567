import type { JobSpecInput, RetryRule } from "@nexus/shared/api/schemas";
import type { JobStart } from "@nexus/shared/protocol/messages";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  exitOf,
  inventoryOf,
  simulatedGpus,
  startTestServices,
  type TestNode,
  type TestServices,
} from "../testing/test-services.ts";

const RULE: RetryRule = { on: ["lost"], attempts: 2, lostAfterMs: 10_000 };

let t: TestServices;
let far: TestNode;
let near: TestNode;
beforeAll(async () => {
  t = await startTestServices();
  far = await t.addTarget("far", { gpus: simulatedGpus(1, "Far") });
  near = await t.addTarget("near");
});
afterAll(() => t.close());

beforeEach(async () => {
  for (const node of [far, near]) {
    await t.db
      .sql`update attempt set ended_at = now(), closed_at = now() where target_id = ${node.session.targetId}`;
    await t.db.sql`delete from gpu_lease`;
  }
  await t.db.sql`update job set state = 'cancelled', ended_at = now() where ended_at is null`;
  await t.restart();
});

const stateOf = async (id: string) => (await t.services.getJob(t.alice, id)).state;
const becomes = (id: string, state: string) => t.until(async () => (await stateOf(id)) === state);
const told = async (id: string) =>
  (await t.services.listJobEvents(t.alice, id)).map(({ type, actor, message }) => ({ type, actor, message }));
const leases = () =>
  t.db.sql<{ attempt: string }[]>`
    select a.public_id as attempt from gpu_lease l join attempt a on a.id = l.attempt_id`;

/** Jobs that began on `far`, which is silent since. */
async function silentJobs(specs: Partial<JobSpecInput>[]) {
  await far.connect();
  const jobs: { id: string; start: JobStart }[] = [];
  for (const spec of specs) {
    const id = await t.submit({ command: ["train"], ...spec });
    const start = await far.startOf(id);
    await far.started(start);
    await far.log(start, 0, "begun\n");
    jobs.push({ id, start });
  }
  await far.disconnect();
  for (const { id } of jobs) await becomes(id, "unreachable");
  return jobs;
}

async function silentJob(retry: RetryRule | undefined, spec: Partial<JobSpecInput> = { gpus: 1 }) {
  const [job] = await silentJobs([{ ...spec, retry }]);
  if (!job) throw new Error("no job");
  return job;
}

/** Another job's start than the one that is known. */
const nextStart = (node: TestNode, id: string, { fence }: JobStart) =>
  t.until(() => node.starts().find((start) => start.job === id && start.fence > fence));

/** Waits on the same silence, and shows with its end that the sweep has counted it. */
const CANARY = { gpus: 0, target: "far", retry: RULE };

/** So much silence, of which one sweep counts ten seconds at most. */
function pass(ms: number): void {
  t.clock.skewMs += ms;
}

describe("a job's own rule", () => {
  test("[J55] gives it up once its node was silent so long, and it starts elsewhere with a higher fence", async () => {
    const { id, start } = await silentJob(RULE, { gpus: 0, labels: {} });
    await near.connect();
    pass(10_000);
    const again = await near.startOf(id);
    expect(again).toMatchObject({ job: id, command: ["train"] });
    expect(again.attempt).not.toBe(start.attempt);
    expect(again.fence).toBeGreaterThan(start.fence);
    await near.started(again);
    const job = await t.services.getJob(t.alice, id);
    expect(job).toMatchObject({ state: "running", retry: { ...RULE, used: 1 }, unreachableSinceMs: null });
    expect(await told(id)).toContainEqual({
      type: "requeue",
      actor: "control plane",
      message: expect.stringMatching(/^far is silent for 10s.*may still run there \(retry 1 of 2\)$/),
    });
  });

  test("[J55] without one, or when it was asked to end, a silent job stays where it is", async () => {
    const specs = [{ gpus: 0 }, { gpus: 0, retry: RULE }, CANARY];
    const [bare, asked, canary] = (await silentJobs(specs)).map(({ id }) => id);
    await t.services.cancelJobs(t.alice, { jobs: [asked ?? ""] });
    await near.connect();
    pass(10_000);
    await becomes(canary ?? "", "queued");
    expect([await stateOf(bare ?? ""), await stateOf(asked ?? "")]).toEqual(["unreachable", "unreachable"]);
    expect(near.starts().filter(({ job }) => job === bare || job === asked)).toEqual([]);
  });

  test("[J55] is used as often as it says", async () => {
    const once = { ...RULE, attempts: 1 };
    const { id } = await silentJob(once, { gpus: 0 });
    await near.connect();
    pass(10_000);
    await near.started(await near.startOf(id));
    const canary = await t.submit({ ...CANARY, command: ["canary"], target: "near" });
    await near.started(await near.startOf(canary));
    await near.disconnect();
    await becomes(id, "unreachable");
    pass(10_000);
    await becomes(canary, "queued");
    expect(await t.services.getJob(t.alice, id)).toMatchObject({ state: "unreachable", retry: { used: 1 } });
  });

  test("[J55] a clock that is set, or a loop that stood still, is no silence", async () => {
    const slow = { gpus: 0, retry: { ...RULE, lostAfterMs: 60_000 } };
    const [job, canary] = await silentJobs([slow, CANARY]);
    pass(3_600_000);
    await becomes(canary?.id ?? "", "queued");
    expect(await stateOf(job?.id ?? "")).toBe("unreachable");
    pass(-3_600_000);
  });

  test("[J55] nor is what another control plane may have heard", async () => {
    const slow = { gpus: 0, retry: { ...RULE, lostAfterMs: 20_000 } };
    const [job, first, second] = await silentJobs([
      slow,
      CANARY,
      { ...CANARY, retry: { ...RULE, lostAfterMs: 10_100 } },
    ]);
    const id = job?.id ?? "";
    pass(10_000);
    await becomes(first?.id ?? "", "queued");
    await t.restart();
    pass(10_000);
    await becomes(second?.id ?? "", "queued");
    expect(await stateOf(id)).toBe("unreachable");
    pass(10_000);
    await becomes(id, "queued");
  });
});

describe("what was given up", () => {
  test("[J57] keeps its GPUs until its node has told its end, which moves nothing", async () => {
    const { id, start } = await silentJob(RULE);
    await t.services.requeueJobs(t.alice, { jobs: [id] });
    expect(await stateOf(id)).toBe("queued");
    expect(await leases()).toEqual([{ attempt: start.attempt }]);
    const { gpus, jobsActive } = t.services.fleet.get(t.alice.teamId, "far");
    expect([gpus[0]?.holders.map(({ job }) => job), jobsActive]).toEqual([[id], 0]);

    // It starts elsewhere meanwhile.
    const other = await t.addTarget(`other-${id}`.toLowerCase().replace("_", "-"), {
      gpus: simulatedGpus(1, "Other"),
    });
    await other.connect();
    const again = await other.startOf(id);
    await other.started(again);

    const answers = await far.connect([inventoryOf(start, { logBytes: 20 })]);
    expect(answers).toContainEqual({
      type: "sync",
      attempts: [{ attempt: start.attempt, fence: start.fence, want: "stop", logBytes: 6 }],
    });
    expect(answers).toContainEqual(expect.objectContaining({ type: "stop", attempt: start.attempt }));
    // Nobody else gets its GPU before it is gone.
    const waiting = await t.submit({ command: ["next"], gpus: 1, gpuModel: "Far" });
    expect(await stateOf(waiting)).toBe("queued");

    await far.exited(start, { reason: "cancelled", exitCode: null, signal: "TERM", logBytes: 12 });
    expect(await leases()).not.toContainEqual({ attempt: start.attempt });
    expect((await far.startOf(waiting)).gpus).toEqual(start.gpus);
    const closed = await far.log(start, 6, "ended\n");
    expect(closed).toContainEqual({ type: "forget", attempts: [start.attempt] });

    expect(await t.services.getJob(t.alice, id)).toMatchObject({
      state: "running",
      attempt: again.attempt,
      exitCode: null,
    });
    expect(await told(id)).toContainEqual({
      type: "noted",
      actor: "far",
      message: "try 1, which was given up, was ended there",
    });
    const log = await t.services.readLog(t.alice, id, { offset: 0, limit: 100, fence: start.fence });
    expect([new TextDecoder().decode(log.bytes), log.ended]).toEqual(["begun\nended\n", true]);
    await other.exited(again);
  });

  test("[J57] is stopped for itself: that its job is to be cancelled is still told to the node of the next try", async () => {
    const { id, start } = await silentJob(RULE, { gpus: 0 });
    await near.connect();
    await t.services.requeueJobs(t.alice, { jobs: [id] });
    const again = await near.startOf(id);
    await near.started(again);
    near.setStuck(true);
    await t.services.cancelJobs(t.alice, { jobs: [id] });
    const answers = await far.connect([inventoryOf(start)]);
    expect(answers).toContainEqual(expect.objectContaining({ type: "stop", attempt: start.attempt }));
    near.setStuck(false);
    await t.until(() => near.sent.find((one) => one.type === "stop" && one.attempt === again.attempt));
  });

  test("[J57] goes on when its node is back before its job was started anew", async () => {
    const { id, start } = await silentJob(undefined);
    await t.services.requeueJobs(t.alice, { jobs: [id] });
    const answers = await far.connect([inventoryOf(start)]);
    expect(answers).toContainEqual({
      type: "sync",
      attempts: [{ attempt: start.attempt, fence: start.fence, want: "adopt", logBytes: 6 }],
    });
    expect(await t.services.getJob(t.alice, id)).toMatchObject({
      state: "running",
      attempt: start.attempt,
      target: { name: "far" },
      gpuUuids: start.gpus,
      startedAtMs: expect.any(Number),
    });
    await far.exited(start, { exitCode: 3, logBytes: 6 });
    expect(await t.services.getJob(t.alice, id)).toMatchObject({ state: "failed", exitCode: 3 });
    expect((await told(id)).map(({ type, actor }) => `${type} by ${actor}`)).toEqual([
      "submitted by alice",
      "place by scheduler",
      "start by far",
      "silence by control plane",
      "requeue by alice",
      "return by far",
      "fail by far",
    ]);
  });

  test("[J57] what ended of itself meanwhile is not run again, what died with its machine is", async () => {
    const done = await silentJob(undefined);
    await t.services.requeueJobs(t.alice, { jobs: [done.id] });
    await far.connect([
      inventoryOf(done.start, { state: "exited", exit: exitOf(done.start, { logBytes: 6 }) }),
    ]);
    expect(await stateOf(done.id)).toBe("succeeded");

    const dead = await silentJob(undefined);
    await t.services.requeueJobs(t.alice, { jobs: [dead.id] });
    const exit = exitOf(dead.start, { reason: "vanished", exitCode: null, logBytes: 6 });
    await far.connect([inventoryOf(dead.start, { state: "exited", pid: null, exit })]);
    const again = await nextStart(far, dead.id, dead.start);
    expect(await told(dead.id)).toContainEqual({
      type: "noted",
      actor: "far",
      message: "try 1, which was given up, is gone from there",
    });
    await far.exited(again);
  });

  test("[J57] is stopped, and does not go on, when its queue has no room for it any more", async () => {
    await t.services.putQueue(t.alice, { name: "narrow", runningMax: 1 });
    const { id, start } = await silentJob(undefined, { gpus: 0, queue: "narrow", labels: {} });
    await t.services.requeueJobs(t.alice, { jobs: [id] });
    await t.services.moveJobs(t.alice, { jobs: [id], priority: -1, top: false });
    const ahead = await t.submit({ command: ["ahead"], gpus: 0, queue: "narrow" });
    await near.connect();
    await near.startOf(ahead);
    const answers = await far.connect([inventoryOf(start)]);
    expect(answers).toContainEqual(expect.objectContaining({ type: "stop", attempt: start.attempt }));
    expect(await stateOf(id)).toBe("queued");
  });

  test("[S13] is charged once, when it has ended, also when it went on", async () => {
    await t.db.sql`update attempt set started_at = null where ended_at is not null`;
    await t.restart();
    await far.connect();
    const id = await t.submit({ command: ["train"], gpus: 1, target: "far" });
    const start = await far.startOf(id);
    await far.started(start);
    pass(100_000);
    await far.disconnect();
    await becomes(id, "unreachable");
    await t.services.requeueJobs(t.alice, { jobs: [id] });
    await far.connect([inventoryOf(start)]);
    expect(await stateOf(id)).toBe("running");
    await far.exited(start);
    const longer = await t.submit({ command: ["x"], gpus: 1, target: "far" }, { principal: t.bob });
    const other = await far.startOf(longer);
    await far.started(other);
    pass(150_000);
    await far.exited(other);
    await far.disconnect();

    // Of bob's and alice's that wait, hers goes first: she used 100 s, and he 150.
    const his = await t.submit({ command: ["x"], gpus: 1, target: "far" }, { principal: t.bob });
    const hers = await t.submit({ command: ["x"], gpus: 1, target: "far" });
    await far.connect();
    const next = await far.startOf(hers);
    expect(await stateOf(his)).toBe("queued");
    await far.exited(next);
  });

  test("[S13] is charged after a restart too, whatever became of its job", async () => {
    await t.db.sql`update attempt set started_at = null where ended_at is not null`;
    await t.restart();
    await far.connect();
    const id = await t.submit({ command: ["train"], gpus: 1, target: "far" });
    const start = await far.startOf(id);
    await far.started(start);
    pass(100_000);
    await far.disconnect();
    await becomes(id, "unreachable");
    await t.services.requeueJobs(t.alice, { jobs: [id] });
    await t.services.cancelJobs(t.alice, { jobs: [id] });
    await far.connect([inventoryOf(start)]);
    await far.exited(start);
    const shorter = await t.submit({ command: ["x"], gpus: 1, target: "far" }, { principal: t.bob });
    const other = await far.startOf(shorter);
    await far.started(other);
    pass(50_000);
    await far.exited(other);
    await far.disconnect();
    await t.restart();

    const hers = await t.submit({ command: ["x"], gpus: 1, target: "far" });
    const his = await t.submit({ command: ["x"], gpus: 1, target: "far" }, { principal: t.bob });
    await far.connect();
    const next = await far.startOf(his);
    expect(await stateOf(hers)).toBe("queued");
    await far.exited(next);
  });

  test("[J57] of many that go on when their node is back all do in one statement, as far as their queue has room", async () => {
    await t.services.putQueue(t.alice, { name: "pair", runningMax: 3 });
    const jobs = await silentJobs([1, 2, 3].map(() => ({ gpus: 0, queue: "pair" })));
    const ids = jobs.map(({ id }) => id);
    await t.services.requeueJobs(t.alice, { jobs: ids });
    await t.services.putQueue(t.alice, { name: "pair", runningMax: 2 });
    await far.connect(jobs.map(({ start }) => inventoryOf(start)));
    const states = await Promise.all(ids.map(stateOf));
    expect(states.toSorted()).toEqual(["queued", "running", "running"]);
    const writes = await t.db.sql`
      select distinct e.xmin::text from job_event e join job j on j.id = e.job_id
      where e.type = 'return' and j.public_id in ${t.db.sql(ids)}`;
    expect(writes).toHaveLength(1);
  });

  test("[J57] is over when its node does not know it, and when its node leaves the fleet", async () => {
    const { id, start } = await silentJob(undefined);
    await t.services.requeueJobs(t.alice, { jobs: [id] });
    await far.connect([]);
    await t.until(async () => (await leases()).every(({ attempt }) => attempt !== start.attempt));
    await nextStart(far, id, start);
    await far.disconnect();

    const gone = await t.addTarget(`gone-${id}`.toLowerCase().replace("_", "-"));
    await gone.connect();
    const other = await t.submit({ command: ["x"], gpus: 0, target: gone.session.targetName });
    await gone.started(await gone.startOf(other));
    await gone.disconnect();
    await becomes(other, "unreachable");
    await t.services.requeueJobs(t.alice, { jobs: [other] });
    await t.services.removeTarget(t.alice, { target: gone.session.targetName, force: false });
    const open = await t.db.sql`
      select 1 from attempt where closed_at is null and target_id = ${gone.session.targetId}`;
    expect(open).toHaveLength(0);
  });

  test("[J57] is ended also when it is given up while its node is being answered", async () => {
    const { id, start } = await silentJob(undefined, { gpus: 0 });
    const isAsked = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const size = t.logs.size.bind(t.logs);
    t.logs.size = async (attempt) => {
      isAsked.resolve();
      await goOn.promise;
      return await size(attempt);
    };
    const answers = far.connect([inventoryOf(start)]);
    await isAsked.promise;
    await far.disconnect();
    const { results } = await t.services.requeueJobs(t.alice, { jobs: [id] });
    expect(results).toMatchObject([{ ok: true }]);
    goOn.resolve();
    expect(await answers).toContainEqual({
      type: "sync",
      attempts: [{ attempt: start.attempt, fence: start.fence, want: "stop", logBytes: 6 }],
    });
  });

  test("[J57] is remembered by the next control plane", async () => {
    const { id, start } = await silentJob(undefined);
    await t.services.requeueJobs(t.alice, { jobs: [id] });
    await t.restart();
    const waiting = await t.submit({ command: ["next"], gpus: 1, gpuModel: "Far" });
    await t.services.cancelJobs(t.alice, { jobs: [id] });
    await far.connect([inventoryOf(start)]);
    expect(await stateOf(waiting)).toBe("queued");
    await far.exited(start, { logBytes: 6 });
    await far.startOf(waiting);
    expect(await stateOf(id)).toBe("cancelled");
  });
});

describe("a person", () => {
  test("[J56] puts their own silent job back in the line, an admin anyone's", async () => {
    const { id } = await silentJob(undefined, { gpus: 0 });
    const { results: refused } = await t.services.requeueJobs(t.bob, { jobs: [id, "j_unknown"] });
    expect(refused).toMatchObject([
      { job: id, ok: false, code: "forbidden", queued: null },
      { job: "j_unknown", ok: false, code: "not_found" },
    ]);
    const { results } = await t.services.requeueJobs({ ...t.bob, role: "admin" }, { jobs: [id] });
    expect(results).toMatchObject([{ job: id, ok: true, queued: id }]);
    expect(results[0]?.message).toContain("may run on there");
    expect(await told(id)).toContainEqual({
      type: "requeue",
      actor: "bob",
      message: "gave up try 1 on far, which is silent; that may still run there",
    });
  });

  test("[J56] not one that waits, whose node is there, or that was asked to end", async () => {
    await far.connect();
    const running = await t.submit({ command: ["x"], gpus: 0, target: "far" });
    await far.started(await far.startOf(running));
    const queued = await t.submit({ command: ["x"], gpus: 0, target: "near" });
    const { results } = await t.services.requeueJobs(t.alice, { jobs: [running, queued] });
    expect(results).toMatchObject([
      { ok: false, code: "invalid_state", message: "its node is not silent; end it first" },
      { ok: false, code: "invalid_state", message: "it waits in the line already" },
    ]);
    await far.disconnect();
    await becomes(running, "unreachable");
    await t.services.cancelJobs(t.alice, { jobs: [running] });
    const { results: asked } = await t.services.requeueJobs(t.alice, { jobs: [running] });
    expect(asked).toMatchObject([{ ok: false, code: "invalid_state" }]);
  });

  test("[J55] [J56] not one whose node is back and about to say what it has, neither by a person nor by its rule", async () => {
    const { id, start } = await silentJob(RULE, { gpus: 0 });
    await near.connect();
    const canary = await t.submit({ ...CANARY, command: ["canary"], target: "near" });
    await near.started(await near.startOf(canary));
    await near.disconnect();
    await becomes(canary, "unreachable");
    await t.services.agentPort.connected({ ...far.session, sessionId: "s_back" });
    const { results } = await t.services.requeueJobs(t.alice, { jobs: [id] });
    expect(results).toMatchObject([{ ok: false, code: "invalid_state" }]);
    pass(10_000);
    await becomes(canary, "queued");
    expect(await stateOf(id)).toBe("unreachable");
    await far.connect([inventoryOf(start)]);
    expect(await stateOf(id)).toBe("running");
  });

  test("[J56] has another job made like one that is over, once for a submit key", async () => {
    await far.connect();
    const spec = { command: ["train", "a b"], env: { SEED: "7" }, gpus: 0, target: "far", name: "run" };
    const id = await t.submit({ ...spec, retry: RULE, timeoutMs: 60_000 });
    await far.exited(await far.startOf(id), { exitCode: 1 });
    const input = { jobs: [id], submitKey: "again-key-1" };
    const [one, two] = [
      await t.services.requeueJobs(t.alice, input),
      await t.services.requeueJobs(t.alice, input),
    ];
    const made = one.results[0]?.queued ?? "";
    expect(two.results[0]?.queued).toBe(made);
    expect(made).not.toBe(id);
    const { name, command, env, wantedTarget, retry, timeoutMs } = await t.services.getJob(t.alice, made);
    expect({ name, command, env, target: wantedTarget, timeoutMs }).toEqual({
      ...{ name: "run", command: spec.command, env: spec.env, target: "far", timeoutMs: 60_000 },
    });
    expect(retry).toEqual({ ...RULE, used: 0 });
    expect((await told(made))[0]).toEqual({
      type: "submitted",
      actor: "alice",
      message: `again, as ${id} was`,
    });
    expect(await stateOf(id)).toBe("failed");
    expect(await t.services.requeueJobs(t.bob, { jobs: [id] })).toMatchObject({
      results: [{ ok: false, code: "forbidden" }],
    });
  });
});

describe("the log of a job that was started again", () => {
  test("[L33] is followed from try to try, and each is read by its number", async () => {
    const { id, start } = await silentJob(undefined, { gpus: 0 });
    const leave = new AbortController();
    const pieces = t.services
      .followLog(t.alice, id, { offset: 0, signal: leave.signal })
      [Symbol.asyncIterator]();
    const next = async () => {
      const { value, done } = await pieces.next();
      return done ? "over" : `${value.attempt} ${value.offset} ${new TextDecoder().decode(value.bytes)}`;
    };
    expect(await next()).toBe(`${start.attempt} 0 begun\n`);
    const second = next();
    await near.connect();
    await t.services.requeueJobs(t.alice, { jobs: [id] });
    const again = await near.startOf(id);
    await near.started(again);
    await near.log(again, 0, "anew\n");
    await near.exited(again, { logBytes: 5 });
    expect([await second, await next()]).toEqual([`${again.attempt} 0 anew\n`, "over"]);
    const read = async (fence?: number) => {
      const { bytes, attempt } = await t.services.readLog(t.alice, id, { offset: 0, limit: 99, fence });
      return `${attempt} ${new TextDecoder().decode(bytes)}`;
    };
    expect(await read()).toBe(`${again.attempt} anew\n`);
    expect(await read(1)).toBe(`${start.attempt} begun\n`);
    await expect(read(3)).rejects.toMatchObject({ code: "not_found" });
    leave.abort();
  });

  test("[L33] is followed on when its node is back, and has ended it, before the follower looks again", async () => {
    const { id, start } = await silentJob(undefined, { gpus: 0 });
    const leave = new AbortController();
    const pieces = t.services
      .followLog(t.alice, id, { offset: 0, signal: leave.signal })
      [Symbol.asyncIterator]();
    const next = async () => {
      const { value, done } = await pieces.next();
      return done ? "over" : `${value.offset} ${new TextDecoder().decode(value.bytes)}`;
    };
    expect(await next()).toBe("0 begun\n");
    // The follower reads three times: where it waits, when it hears of the end, and once more after it.
    const reads = [1, 2, 3].map(() => Promise.withResolvers<void>());
    const goOn = Promise.withResolvers<void>();
    const read = t.logs.read.bind(t.logs);
    let count = 0;
    t.logs.read = async (attempt, offset, limit) => {
      const bytes = await read(attempt, offset, limit);
      reads[count++]?.resolve();
      if (count === 3) await goOn.promise;
      return bytes;
    };
    const rest = next();
    await reads[0]?.promise;
    await t.services.requeueJobs(t.alice, { jobs: [id] });
    await reads[2]?.promise;
    await far.connect([inventoryOf(start)]);
    await far.log(start, 6, "done\n");
    await far.exited(start, { logBytes: 11 });
    expect(await stateOf(id)).toBe("succeeded");
    goOn.resolve();
    expect([await rest, await next()]).toEqual(["6 done\n", "over"]);
    leave.abort();
  });
});

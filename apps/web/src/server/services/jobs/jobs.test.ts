import { jobSpecSchema } from "@nexus/shared/api/schemas";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
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
  node = await t.addTarget("gpu1", { gpus: simulatedGpus(2) });
  await node.connect();
});
afterEach(async () => {
  const { jobs } = await t.services.listJobs(t.alice, { limit: 100, order: "line" });
  for (const job of jobs) {
    await t.services.cancelJobs(t.alice, { jobs: [job.id] });
    if (job.state !== "queued")
      await node.exited(await node.startOf(job.id), { reason: "cancelled", exitCode: null });
  }
  expect(t.problems.splice(0)).toEqual([]);
});
afterAll(() => t.close());

describe("from submit to end", () => {
  test("[J1] a job runs through its states, holds its GPU meanwhile, and its history says so", async () => {
    const id = await t.submit({ command: ["train", "--lr", "1"], env: { A: "b" }, cwd: "/tmp" });
    const start = await node.startOf(id);
    expect(start).toMatchObject({
      job: id,
      fence: 1,
      command: ["train", "--lr", "1"],
      env: { A: "b" },
      cwd: "/tmp",
    });
    expect(start.gpus).toEqual(["GPU-sim-0"]);
    expect(await t.services.getJob(t.alice, id)).toMatchObject({ state: "starting", gpuUuids: start.gpus });
    await node.started(start);
    expect(await t.services.getJob(t.alice, id)).toMatchObject({
      state: "running",
      target: { name: "gpu1" },
      attempt: start.attempt,
      attemptNumber: 1,
    });
    expect(t.services.fleet.get(t.alice.teamId, "gpu1").gpus[0]?.holders).toEqual([
      { job: id, user: "alice", gpuMemoryMib: null },
    ]);
    expect(await node.exited(start, { exitCode: 7 })).toEqual([
      { type: "forget", attempts: [start.attempt] },
    ]);
    expect(await t.services.getJob(t.alice, id)).toMatchObject({
      state: "failed",
      exitCode: 7,
      gpuUuids: start.gpus,
    });
    expect(t.services.fleet.get(t.alice.teamId, "gpu1").gpus[0]?.holders).toEqual([]);
    expect(await t.db.sql`select * from gpu_lease`).toHaveLength(0);
    const events = await t.services.listJobEvents(t.alice, id);
    expect(events.map((event) => [event.type, event.state, event.actor])).toEqual([
      ["submitted", "queued", "alice"],
      ["place", "assigned", "scheduler"],
      ["start", "running", "gpu1"],
      ["fail", "failed", "gpu1"],
    ]);
  });

  test.each([
    ["exited", 0, "succeeded"],
    ["exited", 3, "failed"],
    ["cancelled", null, "cancelled"],
    ["timed_out", null, "timed_out"],
    ["vanished", null, "failed"],
    ["start_failed", null, "failed"],
  ] as const)("[J2] an exit by %s with code %s ends the job as %s", async (reason, exitCode, state) => {
    const id = await t.submit({ command: ["x"] });
    await node.exited(await node.startOf(id), { reason, exitCode, message: "why\0 \ud800" });
    const job = await t.services.getJob(t.alice, id);
    expect(job).toMatchObject({ state, exitCode, message: "why\ufffd \ufffd" });
  });

  test("[J3] a job waits with a reason and starts when what it needs is free", async () => {
    const first = await t.submit({ command: ["a"], gpus: 2, timeoutMs: 60_000 });
    const second = await t.submit({ command: ["b"] });
    expect(await t.services.getJob(t.alice, second)).toMatchObject({
      state: "queued",
      reason: { code: "busy", holders: [{ job: first, user: "alice", target: "gpu1" }] },
    });
    await node.exited(await node.startOf(first));
    expect((await node.startOf(second)).gpus).toEqual(["GPU-sim-0"]);
  });

  test("[J4] a job for labels that no target carries yet gets one GPU on a fleet that has some", async () => {
    const id = await t.submit({ command: ["a"], labels: { zone: "not-yet" } });
    expect(await t.services.getJob(t.alice, id)).toMatchObject({ gpus: 1, reason: { code: "no_match" } });
    await t.services.cancelJobs(t.alice, { jobs: [id] });
  });

  test("[J4] a job without GPUs gets none, and by default a job gets one where there are any", async () => {
    const none = await t.submit({ command: ["a"], gpus: 0 });
    const one = await t.submit({ command: ["b"] });
    expect((await node.startOf(none)).gpus).toEqual([]);
    expect((await node.startOf(one)).gpus).toHaveLength(1);
  });

  test("[J5] a submit key gives the same jobs again, also when two submissions race", async () => {
    const submitKey = "key-12345678";
    const ids = await Promise.all([
      t.submit({ command: ["once"] }, { submitKey }),
      t.submit({ command: ["once"] }, { submitKey }),
    ]);
    ids.push(await t.submit({ command: ["once"] }, { submitKey }));
    expect(new Set(ids).size).toBe(1);
    const rows = await t.db
      .sql`select id from attempt where job_id in (select id from job where public_id = ${ids[0] ?? ""})`;
    expect(rows).toHaveLength(1);
    expect(await t.db.sql`select * from gpu_lease`).toHaveLength(1);
    expect(node.starts().filter((start) => start.job === ids[0])).toHaveLength(1);
  });

  test("[J5] a retried immediate submission answers with its jobs though nothing is free any more", async () => {
    const options = { submitKey: "key-immediate", immediate: true };
    const id = await t.submit({ command: ["a"], gpus: 2 }, options);
    await node.startOf(id);
    expect(await t.submit({ command: ["a"], gpus: 2 }, options)).toBe(id);
  });

  test("[J6] an immediate submission starts all of its jobs or none, and says why not", async () => {
    const jobs = [1, 2].map(() => ({ command: ["a"], gpus: 2 }));
    await expect(
      async () => await t.submit({ command: ["a"], gpus: 3 }, { immediate: true }),
    ).rejects.toMatchObject({
      code: "unsatisfiable",
      message: expect.stringContaining("needs 3 GPUs; the largest match, gpu1, has 2"),
    });
    const first = await t.submit({ command: ["a"], gpus: 2 }, { immediate: true });
    await expect(async () => await t.submit({ command: ["a"] }, { immediate: true })).rejects.toMatchObject({
      code: "target_busy",
    });
    await node.exited(await node.startOf(first));
    const before = node.starts().length;
    const specs = jobs.map((job) => ({
      ...job,
      env: {},
      graceMs: 0,
      labels: {},
      queue: "default",
      priority: 0,
    }));
    await expect(
      async () => await t.services.submitJobs(t.alice, { jobs: specs, immediate: true }),
    ).rejects.toMatchObject({
      code: "target_busy",
    });
    expect(node.starts()).toHaveLength(before);
    expect(t.services.jobCounts(t.alice.teamId)).toEqual({});
  });

  test("[J7] what no start frame or database can hold is refused to its sender alone", async () => {
    const bad = [
      { command: ["a", "\ud800"] },
      { command: ["\u0001".repeat(128 * 1024)] },
      { command: ["a"], name: "a\0b" },
    ];
    for (const spec of bad) {
      await expect(async () => await t.submit(spec)).rejects.toMatchObject({
        code: expect.stringMatching(/bad_request|too_large/),
      });
    }
    await expect(async () => await t.submit({ command: ["a"], target: "nowhere" })).rejects.toMatchObject({
      code: "not_found",
    });
    await expect(async () => await t.submit({ command: ["a"], queue: "nope" })).rejects.toMatchObject({
      code: "not_found",
    });
  });

  test("[J8] a preview says what submitting would do, and does nothing", async () => {
    const spec = { command: ["a"], env: {}, graceMs: 0, labels: {}, queue: "default", priority: 0 };
    expect(await t.services.previewJob(t.alice, { ...spec, gpus: 2 })).toEqual({
      startsNow: true,
      target: "gpu1",
      sentence: "starts now on gpu1 with 2 GPUs",
      gpus: 2,
      canEverRun: true,
    });
    expect(await t.services.previewJob(t.alice, { ...spec, gpus: 4 })).toMatchObject({
      startsNow: false,
      target: null,
      canEverRun: false,
    });
    await t.submit({ command: ["a"], gpus: 2 });
    const held = { startsNow: false, canEverRun: true };
    expect(await t.services.previewJob(t.alice, { ...spec, gpus: 2 })).toMatchObject(held);
    const labels = { rack: "none" };
    expect(await t.services.previewJob(t.alice, { ...spec, labels })).toMatchObject({ canEverRun: false });
    expect(Object.values(t.services.jobCounts(t.alice.teamId))).toEqual([1]);
  });

  test("[J9] many submissions at once all start as there is room, each on its own GPU", async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, (_, i) => t.submit({ command: [`${i}`] })));
    const seen = new Set<string>();
    for (let round = 0; round < 10; round += 1) {
      const running = await t.until(() => {
        const starts = node.starts().filter((start) => ids.includes(start.job) && !seen.has(start.attempt));
        return starts.length === 2 && starts;
      });
      expect(new Set(running.flatMap((start) => start.gpus)).size).toBe(2);
      for (const start of running) seen.add(start.attempt);
      await Promise.all(running.map((start) => node.exited(start)));
    }
    expect(
      new Set(
        node
          .starts()
          .filter((start) => ids.includes(start.job))
          .map((start) => start.job),
      ).size,
    ).toBe(20);
  });
});

describe("the line", () => {
  test("[J3] jobs of one submission wait in the order in which they were given, however many", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 24 }), async (count) => {
        const specs = Array.from({ length: count }, () => jobSpecSchema.parse({ command: ["a"], gpus: 3 }));
        const { jobs } = await t.services.submitJobs(t.alice, { jobs: specs, immediate: false });
        const line = await t.services.listJobs(t.alice, { limit: 100, order: "line" });
        expect(line.jobs.map(({ id }) => id)).toEqual(jobs.map(({ id }) => id));
        await t.services.cancelJobs(t.alice, { jobs: jobs.map(({ id }) => id) });
      }),
      { numRuns: 8 },
    );
  });
});

describe("cancel", () => {
  test("[J10] a queued job ends at once and never starts", async () => {
    const holder = await t.submit({ command: ["a"], gpus: 2 });
    const id = await t.submit({ command: ["b"] });
    const { results } = await t.services.cancelJobs(t.alice, { jobs: [id] });
    expect(results).toEqual([{ job: id, ok: true, message: "cancelled" }]);
    expect(await t.services.getJob(t.alice, id)).toMatchObject({ state: "cancelled", cancelRequested: true });
    await node.exited(await node.startOf(holder));
    expect(node.starts().some((start) => start.job === id)).toBe(false);
  });

  test("[J11] an active job's node is asked to end it, and it ends when the node says so", async () => {
    const id = await t.submit({ command: ["a"], graceMs: 2000 });
    const start = await node.startOf(id);
    for (const act of [async () => undefined, () => node.started(start)]) {
      await act();
      await t.services.cancelJobs(t.alice, { jobs: [id] });
      expect(node.sent.at(-1)).toEqual({
        type: "stop",
        attempt: start.attempt,
        fence: 1,
        reason: "cancelled",
        graceMs: 2000,
      });
    }
    expect(await t.services.getJob(t.alice, id)).toMatchObject({ state: "running", cancelRequested: true });
    await node.exited(start, { reason: "cancelled", exitCode: null, signal: "SIGTERM" });
    expect(await t.services.getJob(t.alice, id)).toMatchObject({ state: "cancelled", signal: "SIGTERM" });
  });

  test("[J12] members end their own jobs, admins anyone's, and nobody one that is over", async () => {
    const id = await t.submit({ command: ["a"] });
    const refused = await t.services.cancelJobs(t.bob, { jobs: [id, "j_0000000000"] });
    expect(refused.results.map(({ ok, code }) => [ok, code])).toEqual([
      [false, "forbidden"],
      [false, "not_found"],
    ]);
    const bobs = await t.submit({ command: ["a"] }, { principal: t.bob });
    expect((await t.services.cancelJobs(t.alice, { jobs: [bobs] })).results[0]?.ok).toBe(true);
    await node.exited(await node.startOf(id));
    expect((await t.services.cancelJobs(t.alice, { jobs: [id] })).results[0]).toMatchObject({
      ok: false,
      message: "it already succeeded",
    });
  });
});

describe("reading", () => {
  test("[J13] values of the environment are for the submitter and for admins", async () => {
    const id = await t.submit({ command: ["a"], env: { TOKEN: "secret" } });
    expect((await t.services.getJob(t.alice, id)).env).toEqual({ TOKEN: "secret" });
    expect((await t.services.getJob(t.bob, id)).env).toEqual({ TOKEN: "" });
    const bobs = await t.submit({ command: ["a"], env: { TOKEN: "bobs" } }, { principal: t.bob });
    expect((await t.services.getJob(t.alice, bobs)).env).toEqual({ TOKEN: "bobs" });
  });

  test("[J14] lists filter, page and stand in line order; a beginning of an id names its job", async () => {
    const holder = await t.submit({ command: ["hold"], gpus: 2 });
    const low = await t.submit({ command: ["find", "Needle"], priority: -1 });
    const high = await t.submit({ command: ["b"], priority: 5, name: "urgent" }, { principal: t.bob });
    const list = (over: object) => t.services.listJobs(t.alice, { limit: 100, order: "newest", ...over });
    expect((await list({ order: "line" })).jobs.map((job) => job.id)).toEqual([holder, high, low]);
    expect((await list({ order: "line", limit: 2 })).next).toBe("2");
    expect((await list({ text: "needle" })).jobs.map((job) => job.id)).toEqual([low]);
    expect((await list({ text: "URGENT", states: ["queued"] })).jobs.map((job) => job.id)).toEqual([high]);
    expect((await list({ user: "me", states: ["queued"] })).jobs.map((job) => job.id)).toEqual([low]);
    expect(
      (await list({ target: "gpu1", states: ["assigned", "starting"] })).jobs.map((job) => job.id),
    ).toEqual([holder]);
    const page = await list({ limit: 2 });
    expect(page.jobs.map((job) => job.id)).toEqual([high, low]);
    expect((await list({ limit: 1, cursor: page.next ?? "" })).jobs.map((job) => job.id)).toEqual([holder]);
    expect((await t.services.getJob(t.alice, low.slice(0, 11))).id).toBe(low);
    const { results } = await t.services.cancelJobs(t.alice, { jobs: [low.slice(0, 11), "j_none"] });
    expect(results).toMatchObject([
      { job: low, ok: true },
      { job: "j_none", ok: false, code: "not_found" },
    ]);
    await expect(
      async () => await t.services.getJob({ ...t.alice, teamId: "tm_other" }, low),
    ).rejects.toMatchObject({
      code: "not_found",
    });
  });
});

test("[B6] jobs beyond those that may wait are refused whole, with when to come again; a retry of taken ones is answered", async () => {
  const small = await startTestServices({ queuedJobsMax: 3 });
  try {
    const first = await small.submit({ command: ["a"] }, { submitKey: "once" });
    await small.submit({ command: ["b"] });
    const spec = { command: ["c"] };
    const burst = await Promise.allSettled(Array.from({ length: 5 }, () => small.submit(spec)));
    expect(burst.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(burst.find(({ status }) => status === "rejected")).toMatchObject({
      reason: {
        code: "rate_limited",
        retryAfterMs: expect.any(Number),
        message: expect.stringContaining("at most 3"),
      },
    });
    expect(small.services.jobCounts(small.alice.teamId)).toEqual({ queued: 3 });
    expect(await small.submit({ command: ["a"] }, { submitKey: "once" })).toBe(first);
    await small.services.cancelJobs(small.alice, { jobs: [first] });
    await small.submit({ command: ["d"] });
  } finally {
    await small.close();
  }
});

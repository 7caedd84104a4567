import { afterEach, beforeEach, expect, test } from "vitest";
import {
  simulatedGpus,
  startTestServices,
  type TestNode,
  type TestServices,
} from "../testing/test-services.ts";

const DAY_MS = 86_400_000;
let t: TestServices;
let node: TestNode;

beforeEach(async () => {
  t = await startTestServices({ sampleKeepMs: 14 * DAY_MS, historyKeepMs: 90 * DAY_MS, logKeepDays: 20 });
  node = await t.addTarget("gpu1", { gpus: simulatedGpus(2) });
  await node.connect();
});
afterEach(() => t.close());

test("[O48] samples and ended jobs go by age, logs with them; what has not ended or may be spoken of stays", async () => {
  const ended = async (text: string, logBytes = text.length) => {
    const start = await node.startOf(await t.submit({ command: [text] }));
    await node.log(start, 0, text);
    await node.exited(start, { logBytes });
    return start;
  };
  const old = await ended("old");
  // Its node still owes the rest of the log.
  const owed = await ended("owed", 100);
  const recent = await ended("recent");
  const running = await node.startOf(await t.submit({ command: ["running"] }));
  await node.started(running);
  await t.db.sql`
    update job set created_at = now() - interval '91 days', ended_at = ended_at - interval '91 days'
    where public_id <> ${recent.job}`;
  await t.db.sql`
    insert into gpu_sample (gpu_id, sampled_at)
    select id, now() - make_interval(days => d) from gpu, unnest(array[1, 15]) d`;

  // The next look is an hour after the first.
  t.clock.skewMs = 3_601_000;
  const names = async () =>
    (await t.db.sql`select public_id from job order by id`).map((row) => row.public_id);
  while ((await names()).length > 3) await t.services.listQueues(t.alice);
  expect(await names()).toEqual([owed.job, recent.job, running.job]);
  expect(await t.db.sql`select 1 from attempt where public_id = ${old.attempt}`).toEqual([]);
  expect([await t.logs.size(old.attempt), await t.logs.size(recent.attempt)]).toEqual([0, 6]);
  expect(
    await t.db.sql`select distinct now() - sampled_at > interval '14 days' as is_old from gpu_sample`,
  ).toEqual([{ is_old: false }]);
});

test("[O48] a history larger than a step is cleared piece by piece", async () => {
  const first = await node.startOf(await t.submit({ command: ["a"] }));
  await node.exited(first);
  await t.db.sql`
    insert into job (public_id, team_id, queue_id, user_id, command, gpus, grace_ms, state, created_at, ended_at)
    select 'j_old' || n, team_id, queue_id, user_id, '["x"]', 0, 0, 'failed', now() - interval '200 days', now() - interval '200 days'
    from job, generate_series(1, 450) n`;
  t.clock.skewMs = 3_601_000;
  const count = async () => (await t.db.sql`select 1 from job`).length;
  while ((await count()) > 1) await t.services.listQueues(t.alice);
  expect(await count()).toBe(1);
});

test("[O48] what waits for long, and a log that cannot be removed, keep nothing else from being forgotten", async () => {
  const stuck = await node.startOf(await t.submit({ command: ["stuck"] }));
  await node.log(stuck, 0, "stuck");
  await node.exited(stuck, { logBytes: 5 });
  // Before anything is old: on a busy machine the first look comes late.
  const { remove } = t.logs;
  t.logs.remove = async (attempt) => {
    if (attempt === stuck.attempt) throw new Error("EIO");
    await remove(attempt);
  };
  await t.db.sql`
    update job set created_at = now() - interval '300 days', ended_at = now() - interval '300 days'`;
  // Older than what is to go, and in a queue that nobody lets go on.
  await t.db.sql`
    insert into job (public_id, team_id, queue_id, user_id, command, gpus, grace_ms, state, created_at)
    select 'j_waiting' || n, team_id, queue_id, user_id, '["x"]', 0, 0, 'queued', now() - interval '250 days'
    from job, generate_series(1, 2100) n`;
  await t.db.sql`
    insert into job (public_id, team_id, queue_id, user_id, command, gpus, grace_ms, state, created_at, ended_at)
    select 'j_old' || n, team_id, queue_id, user_id, '["x"]', 0, 0, 'failed', now() - interval '200 days', now() - interval '200 days'
    from job, generate_series(1, 250) n where public_id = ${stuck.job}`;
  t.clock.skewMs = 3_601_000;
  const told = () => t.problems.filter((problem) => problem.includes("cannot be removed"));
  const ended = async () =>
    (await t.db.sql`select public_id from job where ended_at is not null`).map((row) => row.public_id);
  while ((await ended()).length > 1 || told().length === 0) await t.services.listQueues(t.alice);
  expect(await ended()).toEqual([stuck.job]);
  for (const problem of told()) expect(problem).toMatch(/cannot be removed.*EIO/);
  // The next look gets it when the disk is well again.
  t.logs.remove = remove;
  t.clock.skewMs += 3_601_000;
  while ((await ended()).length > 0) await t.services.listQueues(t.alice);
  expect(await t.logs.size(stuck.attempt)).toBe(0);
});

test("[L28] logs go by age and by size, the oldest first, and are told as removed; what has not ended stays", async () => {
  const ended = async (text: string, hoursAgo: number) => {
    const start = await node.startOf(await t.submit({ command: [text] }));
    await node.log(start, 0, text);
    await node.exited(start, { logBytes: text.length });
    await t.db.sql`
      update attempt set closed_at = now() - make_interval(hours => ${hoursAgo}) where public_id = ${start.attempt}`;
    return start;
  };
  const tooOld = await ended("a", 24 * 31);
  const tooMuch = await ended("b".repeat(60), 5);
  const kept = await ended("c".repeat(60), 4);
  const justRead = await ended("d".repeat(30), 0);
  const running = await node.startOf(await t.submit({ command: ["running"] }));
  await node.started(running);
  await node.log(running, 0, "e".repeat(500));
  await t.db.sql`update team set log_keep_days = 30, log_bytes_max = 100`;

  t.clock.skewMs = 3_601_000;
  const sizes = async () =>
    await Promise.all([tooOld, tooMuch, kept, justRead, running].map(({ attempt }) => t.logs.size(attempt)));
  while ((await sizes())[1] !== 0) await t.services.listQueues(t.alice);
  await expect
    .poll(async () => (await t.services.getJob(t.alice, tooMuch.job)).logTroubles)
    .toEqual([
      { code: "removed", message: expect.stringMatching(/removed on \d{4}-\d\d-\d\d/), offset: null },
    ]);
  expect(await sizes()).toEqual([0, 0, 60, 30, 500]);
  expect((await t.services.getJob(t.alice, kept.job)).logTroubles).toEqual([]);
  // What a team keeps for ever stays; where it says nothing the server's own limit holds.
  await t.db.sql`update team set log_keep_days = 0, log_bytes_max = 0`;
  for (const days of [80, 80.9, 81.1]) await passTo(days * DAY_MS);
  expect((await sizes()).slice(2)).toEqual([60, 30, 500]);
  await t.db.sql`update team set log_keep_days = null`;
  t.clock.skewMs += 3_601_000;
  while ((await sizes())[3] !== 0) await t.services.listQueues(t.alice);
  expect(await sizes()).toEqual([0, 0, 0, 0, 500]);
});

test("[O48] a clock that jumped ages nothing for a day, and as if nothing had been when it is set right", async () => {
  const start = await node.startOf(await t.submit({ command: ["a"] }));
  await node.exited(start);
  const isThere = async () => (await t.db.sql`select 1 from job where public_id = ${start.job}`).length === 1;
  for (const skewMs of [0, 400 * DAY_MS, 0, 400 * DAY_MS, 400.5 * DAY_MS]) {
    await passTo(skewMs);
    expect(await isThere()).toBe(true);
  }
  await passTo(401.1 * DAY_MS);
  while (await isThere()) await t.services.listQueues(t.alice);
});

/** Sets the clock and waits until it was looked at; every sweep notes when its targets were seen. */
async function passTo(skewMs: number): Promise<void> {
  const seenAtMs = () => t.services.fleet.get(t.alice.teamId, "gpu1").lastSeenAtMs;
  t.clock.skewMs = skewMs;
  for (let sweep = 0, before = seenAtMs(); sweep < 3; ) {
    await t.services.listQueues(t.alice);
    if (seenAtMs() !== before) sweep += 1;
    before = seenAtMs();
  }
}

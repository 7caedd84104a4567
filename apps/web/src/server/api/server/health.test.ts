import { afterAll, beforeAll, expect, it } from "vitest";
import { startTestApi, type TestApi } from "../testing/test-api.ts";
import { addTestPerson, addTestTeam } from "../testing/test-people.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api?.close());

it("[O67] a viewer is told how the database, the disk and the code of SSH fare", async () => {
  const viewer = await addTestPerson(api.ctx, await addTestTeam(api.ctx, "one"), "viewer");
  const beforeMs = api.clock.nowMs();
  const health = await api.call("server.health", undefined, viewer.key);
  expect(health).toMatchObject({
    nodeVersion: process.versions.node,
    database: { version: expect.stringMatching(/^\d+\./), isEmbedded: false },
    ssh: { hasFastCiphers: true, text: expect.stringContaining("AES-GCM"), hasSystemSsh: false },
  });
  expect(health.database.sizeBytes).toBeGreaterThan(1_000_000);
  expect(health.database.tookMs).toBeGreaterThan(0);
  expect(health.disk?.totalMib).toBeGreaterThanOrEqual(health.disk?.freeMib ?? Number.POSITIVE_INFINITY);
  expect(health.nowMs).toBeGreaterThanOrEqual(beforeMs);
});

it("[O67] the size of the database, for which all its files are asked, is asked for twice a minute at most", async () => {
  const viewer = await addTestPerson(api.ctx, await addTestTeam(api.ctx, "two"), "viewer");
  const sizeBytes = async () => (await api.call("server.health", undefined, viewer.key)).database.sizeBytes;
  const before = await sizeBytes();
  await api.ctx.db.execute(
    "create table filler as select repeat('x', 100) as text from generate_series(1, 50000)",
  );
  expect(await sizeBytes()).toBe(before);
  api.clock.aheadMs += 30_000;
  expect(await sizeBytes()).toBeGreaterThan(before + 4_000_000);
});

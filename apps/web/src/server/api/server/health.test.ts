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

import type { Target } from "@nexus/shared/api/schemas";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestApi, type TestApi } from "./testing/test-api.ts";
import { addTestPerson, addTestTeam, type TestPerson } from "./testing/test-people.ts";
import { openTestSocket, refusedUpgrade } from "./testing/test-socket.ts";

describe("what the API holds at once", () => {
  let held = Promise.withResolvers<void>();
  let waiting = 0;
  let api: TestApi;
  let ada: TestPerson;
  let bob: TestPerson;

  beforeAll(async () => {
    api = await startTestApi({
      limits: {
        calls: { totalMax: 4, personMax: 2 },
        streams: { totalMax: 4, personMax: 2 },
        bodyBytesMax: 100_000,
      },
      services: {
        getJob: async () => {
          waiting += 1;
          await held.promise;
          throw new Error("held");
        },
        fleet: { list: () => [], get: () => null as unknown as Target, find: () => null },
        jobCounts: () => ({}),
      },
    });
    const team = await addTestTeam(api.ctx, "one");
    ada = await addTestPerson(api.ctx, team, "owner");
    bob = await addTestPerson(api.ctx, team, "member");
  });
  afterAll(async () => {
    held.resolve();
    await api?.close();
  });

  const get = ({ key }: TestPerson, signal?: AbortSignal) =>
    fetch(`${api.origin}/api/trpc/jobs.get`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ job: "j_slow" }),
      ...(signal && { signal }),
    });
  const until = async (fits: () => boolean) => {
    await expect.poll(fits).toBe(true);
  };

  it("[B1] calls beyond a person's share are refused with a time to come again, and others' go on", async () => {
    held = Promise.withResolvers();
    waiting = 0;
    const open = [get(ada), get(ada)];
    await until(() => waiting === 2);
    const refused = await get(ada);
    expect(refused.status).toBe(429);
    const body = (await refused.json()) as { error: { message: string; data: object } };
    expect(body.error.data).toMatchObject({ nexusCode: "rate_limited", retryAfterMs: 1_000 });
    expect(body.error.message).toContain("2 calls");
    const others = get(bob);
    await until(() => waiting === 3);
    held.resolve();
    await Promise.all([...open, others]);
    expect((await get(ada)).status).toBe(500);
  });

  it("[B2] bodies beyond what is held of all are refused with a time to come again, and the others stay whole", async () => {
    held = Promise.withResolvers();
    waiting = 0;
    const large = (size: number) => api.rawCall("jobs.get", { job: "x".repeat(size) }, bearer(ada));
    const first = get(ada);
    await until(() => waiting === 1);
    const refused = await large(100_001);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    held.resolve();
    await first;
    expect((await large(50_000)).status).toBe(400);
    expect((await large(50_000)).status).toBe(400);
    expect((await large(50_000)).status).toBe(400);
  });

  it("[B3] streams beyond a person's share are refused, whatever their kind, and a place is free once one ended", async () => {
    const url = `${api.origin.replace("http", "ws")}/ws/ui`;
    const first = await openTestSocket(url, bearer(ada));
    const id = first.send("subscription", "fleet.watch");
    await first.next((message) => message.id === id && message.result?.type === "data");
    expect(await refusedUpgrade(url, bearer(ada))).toBe(429);
    const log = await fetch(`${api.origin}/api/v1/jobs/j_any/log?follow=1`, { headers: bearer(ada) });
    expect(log.status).toBe(429);
    expect(log.headers.get("retry-after")).toBe("1");
    expect(await refusedUpgrade(url, bearer(bob))).toBe(101);
    first.socket.terminate();
    await expect.poll(() => refusedUpgrade(url, bearer(ada))).toBe(101);
  });

  function bearer({ key }: TestPerson): Record<string, string> {
    return { authorization: `Bearer ${key}` };
  }
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestApi, type TestApi } from "./testing/test-api.ts";
import { addTestPerson, addTestTeam, type TestPerson } from "./testing/test-people.ts";

describe("calls in one request", () => {
  let api: TestApi;
  let ada: TestPerson;
  beforeAll(async () => {
    api = await startTestApi();
    ada = await addTestPerson(api.ctx, await addTestTeam(api.ctx, "one"), "owner");
  });
  afterAll(() => api?.close());

  const ask = async (count: number) => {
    const names = Array.from({ length: count }, () => "me.get").join(",");
    const response = await fetch(`${api.origin}/api/trpc/${names}?batch=1`, {
      headers: { authorization: `Bearer ${ada.key}` },
    });
    return { status: response.status, answers: [(await response.json()) as unknown].flat() };
  };

  it("[B11] fifty are answered, one more is refused whole", async () => {
    const fifty = await ask(50);
    expect(fifty.status).toBe(200);
    expect(fifty.answers).toHaveLength(50);
    const more = await ask(51);
    expect(more.status).toBe(400);
    expect(more.answers).toHaveLength(1);
    expect(more.answers[0]).toMatchObject({
      error: {
        message: "A request has at most 50 calls, this one has 51. Send them in several.",
        data: { nexusCode: "bad_request" },
      },
    });
  });
});

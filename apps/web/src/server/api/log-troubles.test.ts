import { decodeLogTroubles } from "@nexus/shared/api/log-troubles";
import type { LogTrouble } from "@nexus/shared/api/schemas";
import { expect, test } from "vitest";
import { createEventBus } from "../services/event-bus.ts";
import { startTestApi } from "./testing/test-api.ts";
import { addTestPerson, addTestTeam } from "./testing/test-people.ts";

const FULL: LogTrouble = { code: "store_full", message: "the disk is full — “voll”", offset: null };

test("[L23] a log's troubles stand in each answer, and a stream breaks off when they change", async () => {
  const events = createEventBus((error) => {
    throw error;
  });
  const now: { troubles: LogTrouble[] | null } = { troubles: [FULL] };
  const api = await startTestApi({
    services: {
      events,
      getJob: async () => ({ id: "j_1", attempt: "a_1", logTroubles: now.troubles ?? [] }) as never,
      logTroubles: () => now.troubles,
      openLog: async () => null,
      readLog: async (_principal, _job, { offset }) => ({
        bytes: Buffer.from("part"),
        attempt: "a_0123456789",
        offset,
        size: 4,
        ended: false,
      }),
      async *followLog(_principal, _job, { signal }) {
        yield { attempt: "a_0123456789", offset: 0, bytes: Buffer.from("part") };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    },
  });
  try {
    const { key, principal } = await addTestPerson(api.ctx, await addTestTeam(api.ctx, "one"), "viewer");
    const get = (query: string) =>
      fetch(`${api.origin}/api/v1/jobs/j_1/log?${query}`, { headers: { authorization: `Bearer ${key}` } });
    const troublesOf = (response: Response) => decodeLogTroubles(response.headers.get("x-log-troubles"));
    expect(troublesOf(await get("offset=0"))).toEqual([FULL]);
    const stream = await get("follow=1");
    expect(troublesOf(stream)).toEqual([FULL]);
    const reader = stream.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("part");
    const changed = { teamId: principal.teamId, jobs: ["j_0", "j_1"] };
    events.emit("job", changed);
    // Over, log and all: nothing to say.
    now.troubles = null;
    events.emit("job", changed);
    now.troubles = [];
    events.emit("job", { ...changed, jobs: ["j_2"] });
    const next = reader?.read();
    events.emit("job", changed);
    await expect(next).rejects.toThrow();
    expect((await get("follow=1")).headers.get("x-log-troubles")).toBeNull();
  } finally {
    await api.close();
  }
});

import { type LogSearchAnswer, logSearchAnswerSchema } from "@nexus/shared/api/log-search";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestApi, type TestApi } from "./testing/test-api.ts";
import { addTestPerson, addTestTeam } from "./testing/test-people.ts";

const ATTEMPT = "a_0123456789";
const PATH = "/api/v1/jobs/j_1/log/search";
let api: TestApi;
let key: string;

beforeAll(async () => {
  api = await startTestApi({
    logSearch: { pieceMsMax: 500 },
    services: {
      getJob: async () => ({ id: "j_1", logTroubles: [] }) as never,
      readLog: async (_principal, _job, { offset, limit }) => ({
        bytes: await api.logs.read(ATTEMPT, offset, limit),
        attempt: "a_0123456789",
        offset,
        size: await api.logs.size(ATTEMPT),
        ended: true,
      }),
      openLog: async (_principal, job) =>
        job === "j_waiting"
          ? null
          : {
              attempt: ATTEMPT,
              size: await api.logs.size(ATTEMPT),
              read: (offset, limit) => api.logs.read(ATTEMPT, offset, limit),
              tailOffset: (lines) => api.logs.tailOffset(ATTEMPT, lines),
              linesBefore: (offset) => api.logs.linesBefore(ATTEMPT, offset),
            },
    },
  });
  ({ key } = await addTestPerson(api.ctx, await addTestTeam(api.ctx, "one"), "viewer"));
  await api.logs.append(ATTEMPT, 0, Buffer.from("step 1\nstep 2\n\u001b[31mloss nan\u001b[0m\nstep 4\n"));
});
afterAll(() => api?.close());

async function search(query: object, path = PATH): Promise<LogSearchAnswer[]> {
  const response = await api.post(path, query, { authorization: `Bearer ${key}` });
  if (!response.ok) throw new Error(`${response.status} ${(await response.json()).error.message}`);
  const lines = (await response.text()).trim().split("\n");
  const answers = lines.map((line) => logSearchAnswerSchema.parse(JSON.parse(line)));
  // How often it says how far it is depends on the machine.
  return answers.filter(({ type }) => type !== "progress");
}

test("[L18] a search answers the lines found with their numbers and places, then how many there were", async () => {
  expect(await search({ pattern: "NAN", ignoresCase: true, contextLines: 1 })).toEqual([
    { type: "line", line: 2, offset: 7, text: "step 2", isContext: true },
    { type: "line", line: 3, offset: 14, text: "loss nan", at: [5, 8] },
    { type: "line", line: 4, offset: 32, text: "step 4", isContext: true },
    { type: "end", searchedTo: 39, matches: 1 },
  ]);
  expect(await search({ pattern: "step", linesMax: 0 })).toEqual([
    { type: "end", searchedTo: 39, matches: 3 },
  ]);
  expect(await search({ pattern: "step", tail: 1, isTextWanted: false })).toEqual([
    { type: "line", line: 4, offset: 32 },
    { type: "end", searchedTo: 39, matches: 1 },
  ]);
  expect(await search({ pattern: "x" }, "/api/v1/jobs/j_waiting/log/search")).toEqual([
    { type: "end", searchedTo: 0, matches: 0 },
  ]);
});

test("[L19] what cannot be searched for is refused with a sentence", async () => {
  await expect(search({ pattern: "(" })).rejects.toThrow(/400 .*Unterminated group/);
  await expect(search({ pattern: "" })).rejects.toThrow(/400 .*pattern/);
  await expect(search({ pattern: "a".repeat(1001) })).rejects.toThrow(/400 .*pattern/);
  const get = await fetch(`${api.origin}${PATH}`, { headers: { authorization: `Bearer ${key}` } });
  expect([get.status, (await fetch(`${api.origin}${PATH}`, { method: "POST" })).status]).toEqual([400, 403]);
});

test("[L20] the number of the line at a byte is told when it is asked for", async () => {
  const read = async (query: string) =>
    (
      await fetch(`${api.origin}/api/v1/jobs/j_1/log?${query}`, {
        headers: { authorization: `Bearer ${key}` },
      })
    ).headers;
  const told = await Promise.all(["lines=1&offset=8", "lines=1&tail=1", "offset=8"].map(read));
  expect(told.map((headers) => headers.get("x-log-line"))).toEqual(["2", "4", null]);
});

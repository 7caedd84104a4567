import { once } from "node:events";
import { get } from "node:http";
import { NexusError } from "@nexus/shared/errors";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { removeMember } from "../services/access/members.ts";
import type { LogStore } from "../services/ports.ts";
import type { OpenLog, Services } from "../services/services.ts";
import { startTestApi, type TestApi } from "./testing/test-api.ts";
import { addTestPerson, addTestTeam, type TestPerson } from "./testing/test-people.ts";

/** One log in memory, that grows when the test says so. */
function growingLog() {
  let bytes = Buffer.alloc(0);
  let ended = false;
  let reads = 0;
  const waiting = new Set<() => void>();
  const changed = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      waiting.add(resolve);
      signal.addEventListener("abort", () => resolve());
    });
  const wake = () => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  const services: Partial<Services> = {
    async getJob(_principal, id) {
      if (id !== "j_1") throw new NexusError("not_found", { detail: `There is no job ${id}.` });
      return { id: 'j_1"\r\nx', logTroubles: [] } as never;
    },
    async readLog(principal, job, { offset, limit }) {
      if (job.startsWith("j_1") === false) await this.getJob?.(principal, job);
      const read = bytes.subarray(offset, offset + limit);
      return { attempt: "a_0123456789", bytes: read, offset, size: bytes.length, ended };
    },
    async openLog() {
      const lineEnds = (text: string) => text.split("\n").length - 1;
      return {
        attempt: "a_0123456789",
        size: bytes.length,
        read: async (offset, limit) => bytes.subarray(offset, offset + limit),
        tailOffset: async (lines) =>
          bytes.length -
          bytes
            .toString("latin1")
            .split("\n")
            .slice(-lines - 1)
            .join("\n").length,
        linesBefore: async (offset) => lineEnds(bytes.subarray(0, offset).toString("latin1")),
      };
    },
    async *followLog(_principal, _job, { offset = 0, signal }) {
      let at = offset;
      while (!signal.aborted) {
        if (at < bytes.length) {
          reads += 1;
          const chunk = bytes.subarray(at, at + 64 * 1024);
          at += chunk.length;
          yield { attempt: "a_0123456789", offset: at - chunk.length, bytes: chunk };
        } else if (ended) return;
        else await changed(signal);
      }
    },
  };
  return {
    services,
    reads: () => reads,
    append(more: Buffer | string) {
      bytes = Buffer.concat([bytes, Buffer.from(more)]);
      wake();
    },
    end() {
      ended = true;
      wake();
    },
    reset() {
      bytes = Buffer.alloc(0);
      ended = false;
      reads = 0;
    },
  };
}

async function openTestLog(logs: LogStore, attempt: string): Promise<OpenLog> {
  return {
    attempt,
    size: await logs.size(attempt),
    read: (offset, limit) => logs.read(attempt, offset, limit),
    tailOffset: (lines) => logs.tailOffset(attempt, lines),
    linesBefore: (offset) => logs.linesBefore(attempt, offset),
  };
}

describe("a log by time", () => {
  it("[A27] a reader gets what came in the last while, and nothing when nothing came", async () => {
    let api: TestApi | null = null;
    const attempt = "a_0123456789";
    api = await startTestApi({
      services: {
        getJob: async () => ({ id: "j_1", logTroubles: [] }) as never,
        openLog: async () => api && (await openTestLog(api.logs, attempt)),
        readLog: async (_principal, _job, { offset, limit }) => ({
          attempt,
          bytes: await (api?.logs.read(attempt, offset, limit) ?? Promise.reject(new Error("closed"))),
          offset,
          size: (await api?.logs.size(attempt)) ?? 0,
          ended: false,
        }),
      },
    });
    try {
      const { key } = await addTestPerson(api.ctx, await addTestTeam(api.ctx, "one"), "viewer");
      const { logs, clock, origin } = api;
      await logs.append(attempt, 0, Buffer.from("old\n"));
      clock.aheadMs = 600_000;
      await logs.append(attempt, 4, Buffer.from("new\n"));
      const read = async (agoMs: number) =>
        await (
          await fetch(`${origin}/api/v1/jobs/j_1/log?since=${agoMs}`, {
            headers: { authorization: `Bearer ${key}` },
          })
        ).text();
      expect(await read(900_000)).toBe("old\nnew\n");
      expect(await read(300_000)).toBe("new\n");
      clock.aheadMs = 1_200_000;
      expect(await read(300_000)).toBe("");
    } finally {
      await api.close();
    }
  });
});

describe("the raw log", () => {
  const log = growingLog();
  let api: TestApi;
  let teamId: string;
  let owner: TestPerson;
  beforeAll(async () => {
    api = await startTestApi({ services: log.services });
    teamId = await addTestTeam(api.ctx, "one");
    owner = await addTestPerson(api.ctx, teamId, "owner");
  });
  afterAll(() => api?.close());

  const read = (query: string, key = owner.key, init: RequestInit = {}) =>
    fetch(`${api.origin}/api/v1/jobs/j_1/log${query}`, {
      ...init,
      headers: { authorization: `Bearer ${key}` },
    });

  it("[A25] gives a range with its place in the log, as bytes that no browser renders", async () => {
    log.reset();
    log.append("<b>0123456789");
    const response = await read("?offset=3&limit=4");
    expect(await response.text()).toBe("0123");
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "application/octet-stream",
      "x-content-type-options": "nosniff",
      "x-log-offset": "3",
      "x-log-size": "13",
      "x-log-end": "0",
    });
  });

  it("[A25] a wrong range is refused with a sentence, another method too", async () => {
    for (const query of ["?offset=-1", "?limit=x", "?follow=maybe", "?tail=1e99"]) {
      const response = await read(query);
      expect([response.status, (await response.json()).error.data.nexusCode]).toEqual([400, "bad_request"]);
    }
    expect((await read("", owner.key, { method: "DELETE" })).status).toBe(400);
  });

  it("[A2] needs proof like any procedure", async () => {
    expect((await fetch(`${api.origin}/api/v1/jobs/j_1/log`)).status).toBe(401);
    expect((await read("", "nxk_made-up")).status).toBe(401);
  });

  it("[A25] follows from the last lines until the log has ended", async () => {
    log.reset();
    log.append("one\ntwo\nthree\n");
    const response = await read("?follow=1&tail=2");
    expect(response.headers.get("x-log-offset")).toBe("4");
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("two\nthree\n");
    log.append("four\n");
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("four\n");
    log.end();
    expect((await reader?.read())?.done).toBe(true);
  });

  it("[A25] a viewer who does not read holds up nobody and costs little memory", async () => {
    log.reset();
    const total = 64 * 1024 * 1024;
    log.append(Buffer.alloc(total, 120));
    log.end();
    const request = get(`${api.origin}/api/v1/jobs/j_1/log?follow=1`, {
      headers: { authorization: `Bearer ${owner.key}` },
    });
    const [response] = await once(request, "response");
    await once(response, "readable");
    // Another viewer reads it all meanwhile.
    expect((await (await read("?follow=1")).arrayBuffer()).byteLength).toBe(total);
    const readsOfTheFast = total / (64 * 1024);
    const readsOfTheSlow = log.reads() - readsOfTheFast;
    // What the kernel's socket buffers take, and no more than a chunk or two of ours.
    expect(readsOfTheSlow * 64 * 1024).toBeLessThan(16 * 1024 * 1024);
    request.destroy();
  });

  it("[A8] a stream breaks off when its viewer loses access", async () => {
    log.reset();
    log.append("secret so far\n");
    const person = await addTestPerson(api.ctx, teamId, "viewer");
    const response = await read("?follow=1", person.key);
    const reader = response.body?.getReader();
    await reader?.read();
    await removeMember(api.ctx, owner.principal, person.principal.userId);
    await expect(reader?.read()).rejects.toThrow();
    log.append("more\n");
    log.end();
  });

  it("[A25] downloads the whole under a safe name", async () => {
    log.reset();
    log.append(Buffer.alloc(3 * 1024 * 1024 + 7, 121));
    const response = await read("?download=1");
    expect(response.headers.get("content-disposition")).toBe('attachment; filename="j_1___x.log"');
    expect((await response.arrayBuffer()).byteLength).toBe(3 * 1024 * 1024 + 7);
  });
});

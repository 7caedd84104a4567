import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createAgent } from "./agent.ts";
import { BASE_ENV } from "./exec/testing/test-home.ts";
import { createNoneDriver, type GpuDriver } from "./gpu/driver.ts";

let home: string;
let unhandled: unknown[];
const onUnhandled = (error: unknown) => void unhandled.push(error);

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "nexus-agent-"));
  unhandled = [];
  process.on("unhandledRejection", onUnhandled);
});
afterEach(async () => {
  process.off("unhandledRejection", onUnhandled);
  await rm(home, { recursive: true, force: true });
});

/** Its samples come as fast as they can, so that some come while the agent opens its home. */
function hastyDriver(): GpuDriver {
  return {
    ...createNoneDriver(null),
    kind: "simulated",
    onSample(listener) {
      let timer = setImmediate(again);
      function again(): void {
        listener();
        timer = setImmediate(again);
      }
      return () => clearImmediate(timer);
    },
  };
}

test("[P44] what is measured while an agent still opens its home, as on a slow disk, does not end it", async () => {
  const agent = await createAgent({
    home,
    identity: {
      version: 1,
      nodeId: "t_0000000001",
      name: "n1",
      team: "Lab",
      origin: "http://127.0.0.1:9",
      spkiPin: null,
      serverKey: "",
      publicKey: "",
      seed: "",
      enrolledAt: "2026-01-01T00:00:00Z",
    },
    generation: 0,
    agentVersion: "1.0.0",
    bootId: "boot-1",
    baseEnv: BASE_ENV,
    driver: hastyDriver(),
    onState: () => undefined,
    onTrouble: () => undefined,
    onAttempts: () => undefined,
    nowMs: () => performance.now(),
    random: () => 0,
  });
  await agent.close();
  expect(unhandled).toEqual([]);
});

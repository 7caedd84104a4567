import { NexusError } from "@nexus/shared/errors";
import { agentMessageSchema } from "@nexus/shared/protocol/messages";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createGpuDriver } from "./create-gpu-driver.ts";
import type { GpuDriver, GpuHolder } from "./driver.ts";
import { parseGpuSetting } from "./gpu-setting.ts";

async function simulate(setting: string, seed = "node-1") {
  const clock = { nowMs: 0 };
  const driver = await createGpuDriver({ setting, searchPath: "", seed, nowMs: () => clock.nowMs });
  await driver.close();
  return { driver, clock };
}

const hold = (driver: GpuDriver, more: Partial<GpuHolder> = {}): GpuHolder => ({
  uuid: driver.list()[0]?.uuid ?? "",
  attempt: "a_0123456789",
  pid: 4242,
  memoryMib: null,
  ...more,
});

describe("NEXUS_GPUS", () => {
  it("[G12] the accepted forms", () => {
    expect(parseGpuSetting(undefined)).toEqual({ kind: "auto" });
    expect(parseGpuSetting(" ")).toEqual({ kind: "auto" });
    expect(parseGpuSetting("auto")).toEqual({ kind: "auto" });
    expect(parseGpuSetting("none")).toEqual({ kind: "none" });
    expect(parseGpuSetting("sim:8x80GiB")).toEqual({
      kind: "simulated",
      count: 8,
      model: null,
      memoryMib: 81920,
    });
    expect(parseGpuSetting("sim:2xRTX 4090:24564MiB")).toEqual({
      kind: "simulated",
      count: 2,
      model: "RTX 4090",
      memoryMib: 24564,
    });
  });

  it("[G12] a value that is not understood is refused with the forms that are", () => {
    for (const bad of [
      "8",
      "sim",
      "sim:8",
      "sim:8x80",
      "sim:0x80GiB",
      "sim:65x1GiB",
      "sim:1x0GiB",
      "sim:1x9999999GiB",
      "amd",
    ]) {
      expect(() => parseGpuSetting(bad)).toThrow(NexusError);
      expect(() => parseGpuSetting(bad)).toThrow(/accepted are "sim:8x80GiB"/);
    }
  });
});

describe("simulated devices", () => {
  it("[G12] they always say that they are simulated", async () => {
    const { driver } = await simulate("sim:2xH100:80GiB");
    expect(driver.kind).toBe("simulated");
    expect(driver.list().every(({ simulated }) => simulated)).toBe(true);
    expect(driver.list().map(({ name }) => name)).toEqual(["Simulated H100", "Simulated H100"]);
    expect(driver.driverVersion()).toBe("simulated");
  });

  it("[G13] their UUIDs stay with the node and differ between nodes", async () => {
    const uuids = async (seed: string) =>
      (await simulate("sim:64x80GiB", seed)).driver.list().map(({ uuid }) => uuid);
    expect(await uuids("node-1")).toEqual(await uuids("node-1"));
    const all = [...(await uuids("node-1")), ...(await uuids("node-2"))];
    expect(new Set(all).size).toBe(128);
    expect(all.every((uuid) => /^GPU-sim-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(uuid))).toBe(true);
  });

  it("[G13] a device that is held fills, warms and draws power; one that is free goes back to idle", async () => {
    const { driver, clock } = await simulate("sim:1x80GiB");
    const show = () => driver.sample()?.gpus[0];
    const idle = show();
    expect(idle).toMatchObject({ memoryUsedMib: 4, utilizationPct: 0, processes: [] });
    driver.setHolders([hold(driver)]);
    clock.nowMs = 180_000;
    const busy = show();
    expect(busy?.memoryUsedMib).toBeGreaterThan(81920 * 0.45);
    expect(busy?.utilizationPct).toBeGreaterThan(75);
    expect(busy?.temperatureC).toBeGreaterThan((idle?.temperatureC ?? 0) + 20);
    expect(busy?.powerW).toBeGreaterThan(400);
    expect(busy?.processes).toMatchObject([{ pid: 4242, attempt: "a_0123456789" }]);
    driver.setHolders([]);
    expect(show()).toMatchObject({ memoryUsedMib: 4, utilizationPct: 0, processes: [] });
    expect(show()?.temperatureC).toBeGreaterThan((idle?.temperatureC ?? 0) + 20);
    clock.nowMs = 600_000;
    expect(show()?.temperatureC).toBeLessThan((idle?.temperatureC ?? 0) + 4);
  });

  it("[G13] jobs that share a device stay within what they asked for", async () => {
    const { driver, clock } = await simulate("sim:1x80GiB");
    driver.setHolders([
      hold(driver, { attempt: "a_1", memoryMib: 20480 }),
      hold(driver, { attempt: "a_2", memoryMib: 40960, pid: null }),
    ]);
    clock.nowMs = 300_000;
    const gpu = driver.sample()?.gpus[0];
    expect(gpu?.processes.map(({ attempt }) => attempt)).toEqual(["a_1"]);
    expect(gpu?.processes[0]?.memoryMib).toBeLessThanOrEqual(20480);
    expect(gpu?.memoryUsedMib).toBeLessThanOrEqual(4 + 20480 + 40960);
  });

  it("[G13] the same clock and holders show the same, and every sample fits the wire", async () => {
    const events = fc.array(fc.tuple(fc.nat(100_000), fc.subarray([0, 1, 2])), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(events, async (steps) => {
        const [a, b] = [await simulate("sim:3xA100:40GiB"), await simulate("sim:3xA100:40GiB")];
        for (const [passedMs, held] of steps) {
          for (const { driver, clock } of [a, b]) {
            clock.nowMs += passedMs;
            driver.setHolders(
              held.map((index) =>
                hold(driver, { uuid: driver.list()[index]?.uuid ?? "", attempt: `a_${index}` }),
              ),
            );
          }
          expect(a.driver.sample()).toEqual(b.driver.sample());
          const host = {
            cpuPct: null,
            load1: null,
            memoryUsedMib: null,
            memoryTotalMib: null,
            diskFreeMib: null,
          };
          const gpus = a.driver.sample()?.gpus;
          agentMessageSchema.parse({ type: "telemetry", sampledAgoMs: 0, gpus, host });
          for (const gpu of gpus ?? []) {
            expect(gpu.memoryUsedMib).toBeLessThanOrEqual(40960);
            expect(gpu.utilizationPct).toBeLessThanOrEqual(100);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it("[G13] listeners hear of a change of holders and of a refresh", async () => {
    const driver = await createGpuDriver({
      setting: "sim:1x1GiB",
      searchPath: "",
      seed: "s",
      nowMs: () => 0,
    });
    let heard = 0;
    const stop = driver.onSample(() => heard++);
    driver.setHolders([hold(driver)]);
    await driver.refresh();
    stop();
    await driver.refresh();
    expect(heard).toBe(2);
    await driver.close();
  });
});

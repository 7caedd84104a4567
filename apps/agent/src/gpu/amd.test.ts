import { rm } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { createGpuDriver } from "./create-gpu-driver.ts";
import { amdTree, layOut } from "./fixtures/amd-tree.ts";

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function drive(tree: Record<string, string>) {
  const sys = await layOut(tree);
  undo.push(sys.remove);
  const driver = await createGpuDriver({
    setting: undefined,
    searchPath: "",
    seed: "node",
    nowMs: () => performance.now(),
    roots: { sys: sys.root },
  });
  undo.push(driver.close);
  return { driver, root: sys.root };
}

it("[G11] cards are read from amdgpu's files, in bus order, keyed as ROCm names them", async () => {
  const { driver } = await drive(amdTree(process.pid));
  expect(driver.kind).toBe("amd");
  expect(driver.driverVersion()).toBe("6.10.5");
  expect(driver.problem()).toBeNull();
  expect(driver.list().map(({ uuid, name, memoryTotalMib }) => [uuid, name, memoryTotalMib])).toEqual([
    ["GPU-6c1d2e3f4a5b6c7d", "AMD INSTINCT MI210 (MCM) OAM AC MBA", 65520],
    ["GPU-01a2b3c4d5e6f708", "AMD INSTINCT MI210 (MCM) OAM AC MBA", 65520],
    ["AMD-0000-f4-00.0", "AMD GPU 0x164e", 512],
  ]);
  expect(driver.sample()?.gpus).toEqual([
    {
      uuid: "GPU-6c1d2e3f4a5b6c7d",
      memoryUsedMib: 11,
      utilizationPct: 0,
      temperatureC: 38,
      powerW: 41,
      powerLimitW: 300,
      processes: [],
    },
    {
      uuid: "GPU-01a2b3c4d5e6f708",
      memoryUsedMib: 21504,
      utilizationPct: 97,
      temperatureC: 38,
      powerW: 287.5,
      powerLimitW: 300,
      processes: [
        {
          pid: process.pid,
          memoryMib: 20480,
          user: userInfo().username,
          command: expect.any(String),
          attempt: null,
        },
      ],
    },
    {
      uuid: "AMD-0000-f4-00.0",
      memoryUsedMib: 256,
      utilizationPct: null,
      temperatureC: null,
      powerW: null,
      powerLimitW: null,
      processes: [],
    },
  ]);
});

it("[G11] cards with other sensors are read too: power input, junction temperature", async () => {
  const tree = amdTree(process.pid);
  const hwmon = "class/drm/card1/device/hwmon/hwmon3";
  delete tree[`${hwmon}/power1_average`];
  delete tree[`${hwmon}/temp1_label`];
  const { driver } = await drive({ ...tree, [`${hwmon}/power1_input`]: "52000000" });
  expect(driver.sample()?.gpus[0]).toMatchObject({ powerW: 52, temperatureC: 43 });
});

it("[G6] a card that disappears stays listed, not schedulable, without values", async () => {
  const { driver, root } = await drive(amdTree(process.pid));
  await rm(join(root, "class/drm/card1"), { recursive: true });
  await driver.refresh();
  expect(driver.list().map(({ schedulable }) => schedulable)).toEqual([false, true, true]);
  expect(driver.sample()?.gpus[0]?.memoryUsedMib).toBeNull();
  expect(driver.problem()).toMatch(/^GPU 0 \(GPU-6c1d2e3f4a5b6c7d\)/);
});

it("[G12] a machine without any GPU has no driver and no problem", async () => {
  const { driver } = await drive({ "class/drm/version": "drm 1.1.0 20060810" });
  expect([driver.kind, driver.list(), driver.sample(), driver.problem()]).toEqual(["none", [], null, null]);
});

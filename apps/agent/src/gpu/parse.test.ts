import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deviceFault, numberCell, splitCells, textCell } from "./cells.ts";
import { csvFixture, fixture } from "./fixtures/fake-smi.ts";
import { APP_FIELDS, parseAppRow } from "./parse-apps-csv.ts";
import { busIdKey, chooseGpuFields, parseGpuRow, parseHelpFields } from "./parse-gpu-csv.ts";
import { parseList, profileMemoryMib } from "./parse-list.ts";
import { createMigQueryParser } from "./parse-query-mig.ts";
import { explainSmi, lostBusId } from "./smi-problem.ts";

async function rows(name: string) {
  const { fields, lines } = await csvFixture(name);
  return lines.map((line) => parseGpuRow(fields, line));
}

describe("cells", () => {
  it("[G3] every bracketed refusal and ERR! is null, never zero", () => {
    const refusals = [
      "[N/A]",
      "N/A",
      "[Not Supported]",
      "[Insufficient Permissions]",
      "[Unknown Error]",
      "ERR!",
      "",
    ];
    expect(refusals.map(numberCell)).toEqual(refusals.map(() => null));
    expect([...refusals.filter((cell) => cell !== "ERR!"), undefined].map(textCell)).toEqual(
      Array(7).fill(null),
    );
    expect(["0", "627.40", "-5", "42 %", "8192 MiB"].map(numberCell)).toEqual([0, 627.4, -5, 42, 8192]);
    expect(["[GPU is lost]", "[GPU requires reset]", "[N/A]"].map(deviceFault)).toEqual([
      "GPU is lost",
      "GPU requires reset",
      null,
    ]);
  });

  it("[G3] commas in the last cell, quotes and carriage returns are read, too few cells are refused", () => {
    expect(splitCells("a, 1, x, y\r", 3)).toEqual(["a", "1", "x, y"]);
    expect(splitCells('"a, b", 1, "say ""x"""', 3)).toEqual(["a, b", "1", 'say "x"']);
    expect(splitCells("a, 1", 3)).toBeNull();
  });

  it("[G3] no line breaks a parser", async () => {
    const { fields } = await csvFixture("gpu-8-h100.csv");
    fc.assert(
      fc.property(fc.string(), (line) => {
        parseGpuRow(fields, line);
        parseAppRow(line);
        parseList(line);
        createMigQueryParser().line(line);
        explainSmi({ code: 1, lines: [line] });
        parseHelpFields(line);
      }),
    );
  });
});

describe("devices", () => {
  it("[G1] a row gives every value, keyed by UUID, memory in MiB", async () => {
    expect(await rows("gpu-1-h200.csv")).toEqual([
      {
        uuid: "GPU-6d1f0a52-93b8-4c1e-8f27-51c0de9a7b10",
        index: 0,
        busId: "0000:83:00.0",
        count: 1,
        driverVersion: "590.48.01",
        name: "NVIDIA H200",
        memoryTotalMib: 143771,
        memoryUsedMib: 32975,
        utilizationPct: 100,
        temperatureC: 52,
        powerW: 627.4,
        powerLimitW: 700,
        migEnabled: false,
        fault: null,
      },
    ]);
    const eight = await rows("gpu-8-h100.csv");
    expect(eight.map((row) => row?.index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(new Set(eight.map((row) => row?.uuid)).size).toBe(8);
  });

  it("[G2] used memory is what no job can have: total less free, with the driver's reserve", async () => {
    const idle = (await rows("gpu-8-h100.csv"))[7];
    expect(idle?.memoryUsedMib).toBe(551);
    expect(parseGpuRow(["uuid", "memory.used"], "GPU-1, 272")?.memoryUsedMib).toBe(272);
  });

  it("[G3] cards that refuse values keep the others", async () => {
    expect(await rows("gpu-wsl.csv")).toMatchObject([
      {
        memoryTotalMib: 8192,
        utilizationPct: null,
        temperatureC: null,
        powerW: null,
        migEnabled: false,
        fault: null,
      },
    ]);
    expect(await rows("gpu-old-driver.csv")).toMatchObject([
      {
        memoryUsedMib: 272,
        utilizationPct: null,
        temperatureC: 41,
        powerLimitW: null,
        name: "GeForce GT 710",
      },
    ]);
    expect(await rows("gpu-mig-unprivileged.csv")).toMatchObject([
      { memoryTotalMib: null, memoryUsedMib: null, temperatureC: 47, migEnabled: true },
    ]);
    expect((await rows("gpu-2-errors.csv"))[1]).toMatchObject({
      utilizationPct: null,
      powerW: null,
      fault: null,
    });
  });

  it("[G6] a row of a lost device is known by its bus id", async () => {
    expect((await rows("gpu-lost-cells.csv"))[1]).toMatchObject({
      uuid: null,
      index: 1,
      busId: "0000:65:00.0",
      fault: "GPU is lost",
    });
  });

  it("[G3] sentences, headers and half rows are no rows", async () => {
    const { fields, lines } = await csvFixture("gpu-8-h100.csv");
    const half = lines[0]?.slice(0, 90) ?? "";
    const sentences = [await fixture("gone.txt"), await fixture("lost.txt"), await fixture("no-devices.txt")];
    for (const line of [half, fields.join(", "), "", ...sentences])
      expect(parseGpuRow(fields, line)).toBeNull();
  });

  it("[G4] only fields that the driver names are asked for, alternatives in order, the name last", async () => {
    const current = chooseGpuFields(parseHelpFields(await fixture("help-query-gpu.txt")));
    expect(current).toContain("enforced.power.limit");
    expect(current).toContain("mig.mode.current");
    expect(current.at(-1)).toBe("name");
    const old = chooseGpuFields(parseHelpFields(await fixture("help-query-gpu-old.txt")));
    expect(old).toContain("power.limit");
    expect(old).not.toContain("enforced.power.limit");
    expect(old).not.toContain("mig.mode.current");
    expect([...parseHelpFields('"clocks.max.sm" or "clocks.sm"\nnot "this"')]).toEqual([
      "clocks.max.sm",
      "clocks.sm",
    ]);
  });

  it("[G1] bus ids compare in one form", () => {
    expect(["00000000:0C:00.0", "0000:0c:00.0", "GPU 0", undefined].map(busIdKey)).toEqual([
      "0000:0c:00.0",
      "0000:0c:00.0",
      null,
      null,
    ]);
  });
});

describe("processes", () => {
  it("[G8] a process is read with its memory and its name, which may hold commas or be refused", async () => {
    const { fields, lines } = await csvFixture("apps-8-h100.csv");
    expect(fields).toEqual([...APP_FIELDS]);
    expect(lines.map(parseAppRow).slice(3)).toEqual([
      {
        uuid: "GPU-a3c21803-7d20-4b6f-9e11-0c5a8d03f3b7",
        pid: 40214,
        memoryMib: 70104,
        processName: "/opt/conda/envs/train/bin/python",
      },
      {
        uuid: "GPU-a3c22904-7d20-4b6f-9e11-0c5a8d04f3b7",
        pid: 51877,
        memoryMib: 24568,
        processName: "./server, the second",
      },
      { uuid: "GPU-a3c22904-7d20-4b6f-9e11-0c5a8d04f3b7", pid: 524, memoryMib: null, processName: null },
      { uuid: "GPU-a3c22904-7d20-4b6f-9e11-0c5a8d04f3b7", pid: 525, memoryMib: 12, processName: null },
    ]);
    expect(parseAppRow("No devices were found")).toBeNull();
  });
});

describe("MIG", () => {
  it("[G7] instances are listed under their card, in both spellings of their UUID", async () => {
    const [card] = parseList(await fixture("list-mig.txt"));
    expect(card?.instances.map(({ device, profile }) => [device, profile])).toEqual([
      [0, "1c.3g.71gb"],
      [1, "2c.3g.71gb"],
      [2, "2g.35gb"],
      [3, "1g.18gb"],
    ]);
    const [old] = parseList(await fixture("list-mig-old.txt"));
    expect(old?.instances[1]?.uuid).toBe("MIG-GPU-9b3e1c7d-40f2-4a65-b8d9-6e2c71a0f534/9/0");
    expect(parseList(await fixture("list-8-h100.txt"))).toHaveLength(8);
  });

  it("[G7] a profile alone promises no more than its instance has", () => {
    const published: [string, number][] = [
      ["1g.18gb", 16384],
      ["2g.35gb", 33280],
      ["1c.3g.71gb", 71424],
      ["1g.5gb", 4864],
      ["1g.10gb", 9728],
      ["3g.20gb", 19968],
    ];
    for (const [profile, realMib] of published) {
      expect(profileMemoryMib(profile)).toBeLessThanOrEqual(realMib);
      expect(profileMemoryMib(profile)).toBeGreaterThan(realMib * 0.85);
    }
    expect(profileMemoryMib("unknown")).toBeNull();
  });

  it("[G7] the long query tells each instance's memory and each process's instance", async () => {
    const parser = createMigQueryParser();
    const text = await fixture("query-mig.txt");
    for (const line of text.split("\n")) expect(parser.line(line)).toBeNull();
    const round = parser.line("==============NVSMI LOG==============");
    expect(round?.readings).toEqual([
      {
        busId: "0000:83:00.0",
        device: 0,
        gpuInstance: 2,
        computeInstance: 0,
        memoryTotalMib: 71424,
        memoryUsedMib: 16924,
      },
      {
        busId: "0000:83:00.0",
        device: 1,
        gpuInstance: 2,
        computeInstance: 1,
        memoryTotalMib: 71424,
        memoryUsedMib: 16924,
      },
      {
        busId: "0000:83:00.0",
        device: 2,
        gpuInstance: 3,
        computeInstance: 0,
        memoryTotalMib: 33280,
        memoryUsedMib: 16,
      },
      {
        busId: "0000:83:00.0",
        device: 3,
        gpuInstance: 9,
        computeInstance: 0,
        memoryTotalMib: 16384,
        memoryUsedMib: 8,
      },
    ]);
    expect(
      round?.processes.map(({ pid, gpuInstance, computeInstance }) => [pid, gpuInstance, computeInstance]),
    ).toEqual([
      [12249, 2, 1],
      [12267, 2, 1],
    ]);
    expect(parser.take()).toBeNull();
  });
});

describe("problems", () => {
  it("[G5] what nvidia-smi says is told in words that help", async () => {
    const said = async (name: string, code: number) =>
      explainSmi({ code, lines: (await fixture(name)).split("\n") }).reason;
    expect(await said("gone.txt", 9)).toMatch(/driver does not answer/);
    expect(await said("mismatch.txt", 18)).toMatch(/updated under a running kernel module/);
    expect(await said("no-devices.txt", 6)).toMatch(/finds no device/);
    expect(await said("lost.txt", 15)).toMatch(/0000:65:00.0 fell off the bus/);
    expect(explainSmi({ code: 4, lines: [] }).reason).toMatch(/no permission/);
    expect(explainSmi({ code: 3, lines: ["", "Odd news.", ""] }).reason).toBe(
      "nvidia-smi ended with code 3: Odd news.",
    );
    expect(explainSmi({ code: null, lines: [] }).reason).toBe("nvidia-smi was killed");
  });

  it("[G6] the lost device is found in every spelling of the sentence", () => {
    const spellings = [
      "GPU 0000:65:00.0: GPU is lost.",
      "GPU0000:65:00.0: Unknown Error",
      "GPU3: 0000:65:00.0: Unknown Error",
      "gpu 00000000:65:00.0: Unknown Error",
    ];
    for (const end of spellings) {
      expect(lostBusId(`Unable to determine the device handle for ${end}`)).toBe("0000:65:00.0");
    }
    expect(lostBusId("No devices were found")).toBeNull();
  });
});

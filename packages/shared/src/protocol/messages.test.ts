import fc from "fast-check";
import { expect, it } from "vitest";
import { agentMessageSchema } from "./messages.ts";

const sample = {
  uuid: "GPU-1",
  memoryUsedMib: 1,
  utilizationPct: 2,
  temperatureC: 3,
  powerW: 4,
  powerLimitW: 5,
};
const host = { cpuPct: 1, load1: 1, memoryUsedMib: 1, memoryTotalMib: 1, diskFreeMib: 1 };

it("[P45] a reading that cannot be is unknown, and the others of its message stand", () => {
  const impossible = fc.oneof(
    fc.constantFrom(-1e308, 1e308, -1, 1e10),
    fc.double({ min: 1e9 + 1, noNaN: true }),
  );
  fc.assert(
    fc.property(impossible, (memoryUsedMib) => {
      const gpus = [{ ...sample, memoryUsedMib, processes: [] }];
      const message = agentMessageSchema.parse({ type: "telemetry", sampledAgoMs: 0, gpus, host });
      expect(message).toMatchObject({ gpus: [{ memoryUsedMib: null, utilizationPct: 2 }] });
    }),
  );
});

it("[P46] a message that names a GPU twice, or a number beyond the database's, is refused", () => {
  const gpu = { uuid: "GPU-1", index: 0, name: "x", memoryTotalMib: 1, simulated: true, migParentUuid: null };
  const facts = Object.fromEntries(
    ["hostname", "os", "kernel", "arch", "cpuModel", "user", "bootId", "agentVersion", "nodeVersion"].map(
      (name) => [name, "x"],
    ),
  );
  const message = (gpus: unknown[], cpuCount: number) => ({
    type: "facts",
    facts: {
      ...facts,
      cpuCount,
      memoryTotalMib: 1,
      gpuDriver: "none",
      gpuDriverVersion: null,
      gpuProblem: null,
    },
    gpus,
  });
  const listed = { ...gpu, schedulable: true };
  expect(agentMessageSchema.safeParse(message([listed], 1)).success).toBe(true);
  expect(agentMessageSchema.safeParse(message([listed, listed], 1)).success).toBe(false);
  expect(agentMessageSchema.safeParse(message([listed], 2 ** 31)).success).toBe(false);
});

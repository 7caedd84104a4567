import { describe, expect, it } from "vitest";
import { NexusError } from "../errors.ts";
import { decodeFrame } from "./frame.ts";
import { BATCH_ITEMS_MAX, FRAME_BYTES_MAX } from "./limits.ts";
import { agentMessageSchema, type JobStart, serverMessageSchema } from "./messages.ts";
import { encodeMessage } from "./split-message.ts";

const job = (bytes: number): JobStart => ({
  attempt: "a_1",
  fence: 1,
  job: "j_1",
  command: ["x".repeat(bytes)],
  env: {},
  cwd: null,
  gpus: [],
  timeoutMs: null,
  graceMs: 0,
});

describe("batches", () => {
  it("[P7] a batch that does not fit into one frame is cut into valid ones, in order", () => {
    const jobs = Array.from({ length: 40 }, (_, i) => ({ ...job(100_000), attempt: `a_${i}` }));
    const frames = encodeMessage({ type: "start", jobs });
    expect(frames.length).toBeGreaterThan(1);
    for (const frame of frames) expect(frame.length).toBeLessThanOrEqual(FRAME_BYTES_MAX);
    const messages = frames.map((frame) => serverMessageSchema.parse(decodeFrame(frame).header));
    const attempts = messages
      .flatMap((one) => (one.type === "start" ? one.jobs : []))
      .map((one) => one.attempt);
    expect(attempts).toEqual(jobs.map((one) => one.attempt));
  });

  it("[P7] a cut inventory is complete with its last part, not before", () => {
    const facts = {
      hostname: "h",
      os: "o",
      kernel: "k",
      arch: "a",
      cpuModel: "c",
      cpuCount: 1,
      memoryTotalMib: 1,
      user: "u",
      bootId: "b",
      agentVersion: "1",
      nodeVersion: "1",
      gpuDriver: "none" as const,
      gpuDriverVersion: null,
      gpuProblem: null,
    };
    const attempts = Array.from({ length: 2 * BATCH_ITEMS_MAX + 1 }, (_, i) => ({
      attempt: `a_${i}`,
      fence: 1,
      state: "running" as const,
      pid: 1,
      startedAgoMs: 1,
      logBytes: 0,
      exit: null,
    }));
    const parts = encodeMessage({
      type: "inventory",
      generation: 1,
      facts,
      gpus: [],
      attempts,
      last: true,
    }).map((frame) => agentMessageSchema.parse(decodeFrame(frame).header));
    expect(parts.map((part) => part.type === "inventory" && part.last)).toEqual([
      ...Array(parts.length - 1).fill(false),
      true,
    ]);
    expect(parts.flatMap((part) => (part.type === "inventory" ? part.attempts : []))).toEqual(attempts);
  });

  it("[P7] one item that fits into no frame is refused, not cut", () => {
    expect(() => encodeMessage({ type: "start", jobs: [job(900_000)] })).toThrow(NexusError);
  });
});

/** The value of `NEXUS_GPUS`: which GPUs an agent is to report. Pure; the composition root reads the variable. */
import { NexusError } from "@nexus/shared/errors";

export type GpuSetting =
  | { kind: "auto" }
  | { kind: "none" }
  | { kind: "simulated"; count: number; model: string | null; memoryMib: number };

const ACCEPTED =
  'accepted are "sim:8x80GiB", "sim:2xH100:80GiB", "none", or nothing for what the machine has';
const COUNT_MAX = 64;
const MEMORY_MIB_MAX = 1024 * 1024;

export function parseGpuSetting(value: string | undefined): GpuSetting {
  const text = (value ?? "").trim();
  if (text === "" || text === "auto") return { kind: "auto" };
  if (text === "none") return { kind: "none" };
  const match = /^sim:(\d+)x(?:([^:]{1,64}):)?(\d+(?:\.\d+)?)(GiB|MiB)$/.exec(text);
  if (match === null) throw refusal(text, "is not understood");
  const count = Number(match[1]);
  const memoryMib = Math.floor(Number(match[3]) * (match[4] === "GiB" ? 1024 : 1));
  if (count < 1 || count > COUNT_MAX)
    throw refusal(text, `names ${count} GPUs; 1 to ${COUNT_MAX} can be simulated`);
  if (memoryMib < 1 || memoryMib > MEMORY_MIB_MAX) throw refusal(text, "names no memory that a GPU can have");
  return { kind: "simulated", count, model: match[2]?.trim() || null, memoryMib };
}

function refusal(text: string, why: string): NexusError {
  return new NexusError("bad_request", { detail: `NEXUS_GPUS=${text} ${why}; ${ACCEPTED}.` });
}

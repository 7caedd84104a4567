/** `nvidia-smi -L`: the devices and, indented under a card in MIG mode, its instances. */

export type ListedGpu = { index: number; name: string; uuid: string; instances: ListedInstance[] };
export type ListedInstance = {
  uuid: string;
  /** The driver's MIG device index on this card; `nvidia-smi -q` names instances by it. */
  device: number;
  /** `1g.18gb`, or `1c.3g.71gb` for a compute instance that shares its GPU instance's memory. */
  profile: string;
};

export function parseList(text: string): ListedGpu[] {
  const gpus: ListedGpu[] = [];
  for (const line of text.split("\n")) {
    const gpu = /^GPU (\d+): (.+) \(UUID: (GPU-[^)\s]+)\)\s*$/.exec(line);
    if (gpu !== null) {
      gpus.push({ index: Number(gpu[1]), name: gpu[2] as string, uuid: gpu[3] as string, instances: [] });
      continue;
    }
    const mig = /^\s+MIG (\S+)\s+Device\s+(\d+): \(UUID: (MIG-[^)\s]+)\)\s*$/.exec(line);
    gpus.at(-1)?.instances.push(...(mig === null ? [] : [instanceOf(mig)]));
  }
  return gpus;
}

function instanceOf(match: RegExpExecArray): ListedInstance {
  return { profile: match[1] as string, device: Number(match[2]), uuid: match[3] as string };
}

/**
 * A floor for an instance's memory when only its profile is known. The profile's number rounds up: of the sizes published
 * for A100, H100 and H200 the worst is `1g.18gb` with 16,384 MiB, 0.889 of 18 GiB. Promising less is safe, more is not.
 */
export function profileMemoryMib(profile: string): number | null {
  const match = /(?:^|\.)(\d+)gb(?:\+|$)/.exec(profile);
  return match === null ? null : Math.floor(Number(match[1]) * 1024 * 0.88);
}

/**
 * AMD GPUs as the kernel shows them: amdgpu's files under `class/drm/card*\/device`, and the compute driver's list of
 * processes under `class/kfd/kfd`. Reads only, no command. A file that is missing (they differ by generation) is null.
 */
import { readdir, readFile } from "node:fs/promises";

export type AmdGpu = {
  uuid: string;
  name: string;
  /** `0000:84:00.0` */
  busId: string;
  memoryTotalMib: number | null;
  memoryUsedMib: number | null;
  utilizationPct: number | null;
  temperatureC: number | null;
  powerW: number | null;
  powerLimitW: number | null;
};
export type AmdProcess = { busId: string; pid: number; memoryMib: number };

const AMD_VENDOR = "0x1002";
const MIB = 1024 * 1024;

/** @returns in the order of their bus ids, which is the order that ROCm counts in */
export async function readAmdGpus(sysRoot: string): Promise<AmdGpu[]> {
  const cards = (await names(`${sysRoot}/class/drm`)).filter((name) => /^card\d+$/.test(name));
  const gpus = await Promise.all(cards.map((card) => readAmdGpu(`${sysRoot}/class/drm/${card}/device`)));
  return gpus.filter((gpu) => gpu !== null).sort((a, b) => (a.busId < b.busId ? -1 : 1));
}

async function readAmdGpu(device: string): Promise<AmdGpu | null> {
  const [vendor, uevent, totalBytes] = await Promise.all([
    text(`${device}/vendor`),
    text(`${device}/uevent`),
    number(`${device}/mem_info_vram_total`),
  ]);
  const busId = /^PCI_SLOT_NAME=(\S+)$/m.exec(uevent ?? "")?.[1];
  if (vendor !== AMD_VENDOR || busId === undefined || totalBytes === null) return null;
  const [usedBytes, busy, uniqueId, product, id, sensors] = await Promise.all([
    number(`${device}/mem_info_vram_used`),
    number(`${device}/gpu_busy_percent`),
    text(`${device}/unique_id`),
    text(`${device}/product_name`),
    text(`${device}/device`),
    readSensors(device),
  ]);
  return {
    uuid: amdUuid(uniqueId, busId),
    name: product || `AMD GPU ${id ?? ""}`.trim(),
    busId,
    memoryTotalMib: Math.floor(totalBytes / MIB),
    memoryUsedMib: usedBytes === null ? null : Math.ceil(usedBytes / MIB),
    utilizationPct: busy,
    ...sensors,
  };
}

/** `GPU-<16 hex digits>` is what ROCR_VISIBLE_DEVICES takes. Cards before Vega have no such number; their slot must do. */
function amdUuid(uniqueId: string | null, busId: string): string {
  const hasId = uniqueId !== null && /^[0-9a-f]{1,16}$/i.test(uniqueId) && !/^0+$/.test(uniqueId);
  return hasId ? `GPU-${uniqueId.toLowerCase().padStart(16, "0")}` : `AMD-${busId.replaceAll(":", "-")}`;
}

async function readSensors(device: string): Promise<Pick<AmdGpu, "temperatureC" | "powerW" | "powerLimitW">> {
  const [first] = await names(`${device}/hwmon`);
  const hwmon = `${device}/hwmon/${first}`;
  const [average, input, cap, temperature] = await Promise.all([
    number(`${hwmon}/power1_average`),
    number(`${hwmon}/power1_input`),
    number(`${hwmon}/power1_cap`),
    readTemperature(hwmon),
  ]);
  const powerMicroW = average ?? input;
  return {
    temperatureC: temperature === null ? null : Math.round(temperature / 1000),
    powerW: powerMicroW === null ? null : Math.round(powerMicroW / 100_000) / 10,
    powerLimitW: cap === null ? null : Math.round(cap / 1_000_000),
  };
}

/** The edge sensor is what tools show; cards for data centres have only the junction's. */
async function readTemperature(hwmon: string): Promise<number | null> {
  const labels = await Promise.all([1, 2].map((sensor) => text(`${hwmon}/temp${sensor}_label`)));
  const edge = labels.indexOf("edge");
  const junction = labels.indexOf("junction");
  const sensor = edge >= 0 ? edge : Math.max(0, junction);
  return number(`${hwmon}/temp${sensor + 1}_input`);
}

/** Only the driver that AMD ships beside the kernel has a version of its own. */
export async function readAmdDriverVersion(sysRoot: string): Promise<string | null> {
  return text(`${sysRoot}/module/amdgpu/version`);
}

/** Processes of the compute driver, also of other users. Graphics clients are not in this list. */
export async function readAmdProcesses(sysRoot: string): Promise<AmdProcess[]> {
  const kfd = `${sysRoot}/class/kfd/kfd`;
  const pids = (await names(`${kfd}/proc`)).filter((name) => /^\d+$/.test(name));
  if (pids.length === 0) return [];
  const nodes = await names(`${kfd}/topology/nodes`);
  const busIds = new Map(
    await Promise.all(nodes.map((node) => readKfdNode(`${kfd}/topology/nodes/${node}`))),
  );
  const found: AmdProcess[] = [];
  for (const pid of pids) {
    for (const file of await names(`${kfd}/proc/${pid}`)) {
      const busId = file.startsWith("vram_") ? busIds.get(file.slice(5)) : undefined;
      const bytes = busId === undefined ? null : await number(`${kfd}/proc/${pid}/${file}`);
      if (busId !== undefined && bytes)
        found.push({ busId, pid: Number(pid), memoryMib: Math.ceil(bytes / MIB) });
    }
  }
  return found;
}

/** @returns the compute driver's id of the device and its bus id; location is bus, device and function in one number */
async function readKfdNode(node: string): Promise<[string, string]> {
  const [id, properties] = await Promise.all([text(`${node}/gpu_id`), text(`${node}/properties`)]);
  const domain = Number(/^domain (\d+)$/m.exec(properties ?? "")?.[1] ?? 0);
  const location = Number(/^location_id (\d+)$/m.exec(properties ?? "")?.[1] ?? 0);
  const hex = (value: number, width: number): string => value.toString(16).padStart(width, "0");
  const busId = `${hex(domain, 4)}:${hex(location >> 8, 2)}:${hex((location >> 3) & 31, 2)}.${location & 7}`;
  return [id ?? "", busId];
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

async function text(path: string): Promise<string | null> {
  return readFile(path, "utf8").then(
    (content) => content.trim(),
    () => null,
  );
}

async function number(path: string): Promise<number | null> {
  const content = await text(path);
  return content !== null && /^-?\d+$/.test(content) ? Number(content) : null;
}

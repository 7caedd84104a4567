/** What nvidia-smi's sentences and exit codes mean, in words that say what to do. Exit codes are those of its manual page. */
import { busIdKey } from "./parse-gpu-csv.ts";

export type SmiProblem = {
  /** For people; shown on the target's page. */
  reason: string;
  /** Devices that the driver can no longer open. nvidia-smi then refuses to show the others too, unless they are named. */
  lostBusIds: string[];
};

export type SmiEnd = { code: number | null; lines: readonly string[] };

export function explainSmi(end: SmiEnd): SmiProblem {
  const lostBusIds: string[] = [];
  for (const line of end.lines) {
    const busId = lostBusId(line);
    if (busId !== null) lostBusIds.push(busId);
  }
  return { reason: reasonOf(end, lostBusIds), lostBusIds };
}

/** The bus id in "Unable to determine the device handle for GPU …". Its spelling changed several times. */
export function lostBusId(line: string): string | null {
  const match =
    /device handle for gpu\s*(?:\d+:\s*)?((?:[0-9a-f]{4,8}):[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f])/i.exec(line);
  return match === null ? null : busIdKey(match[1]);
}

function reasonOf(end: SmiEnd, lostBusIds: readonly string[]): string {
  const text = end.lines.join("\n");
  const known = SENTENCES.find(([pattern]) => pattern.test(text));
  if (known !== undefined) return known[1];
  if (lostBusIds.length > 0) return `GPU ${lostBusIds.join(", ")} fell off the bus; the node needs a reboot`;
  const byCode = end.code === null ? undefined : EXIT_CODES[end.code];
  if (byCode !== undefined) return byCode;
  const said = end.lines.findLast((line) => line.trim() !== "")?.trim();
  const ended = end.code === null ? "was killed" : `ended with code ${end.code}`;
  return said === undefined ? `nvidia-smi ${ended}` : `nvidia-smi ${ended}: ${said.slice(0, 300)}`;
}

const DRIVER_GONE = "the NVIDIA driver does not answer; check that its kernel module is loaded";

const SENTENCES: readonly (readonly [RegExp, string])[] = [
  [
    /version mismatch/i,
    "the NVIDIA driver was updated under a running kernel module; reboot or reload the module",
  ],
  [/couldn't communicate with the NVIDIA driver/i, DRIVER_GONE],
  [/No devices were found/i, "the NVIDIA driver finds no device"],
  [/Failed to initialize NVML/i, "the NVIDIA driver refuses to start monitoring (NVML does not initialise)"],
];

const EXIT_CODES: Readonly<Record<number, string>> = {
  4: "no permission to read the NVIDIA devices; check the device files' owner and group",
  9: DRIVER_GONE,
  12: "NVIDIA's monitoring library (NVML) is not installed",
  15: "a GPU fell off the bus; the node needs a reboot",
  127: "nvidia-smi could not be started",
};

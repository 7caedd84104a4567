/** What a machine is: read once at the start of the agent and after each reconnect, cheap, never failing. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import {
  arch,
  availableParallelism,
  cpus,
  hostname,
  platform,
  release,
  totalmem,
  type,
  userInfo,
} from "node:os";
import type { HostFacts } from "@nexus/shared/protocol/messages";
import { readPlace } from "./place.ts";

export type HostFactsOptions = {
  agentVersion: string;
  /** What the GPU driver knows of itself. */
  gpu: Pick<HostFacts, "gpuDriver" | "gpuDriverVersion" | "gpuProblem">;
  /** Whether each job has a cgroup. */
  containsJobs?: boolean;
  tunnels?: HostFacts["tunnels"];
  /** The agent's folder, once it has one: then the facts say which machine and which folder this is. */
  home?: string;
  roots?: Partial<HostRoots>;
};

/** Where a Linux machine tells of itself; a test may lay out its own. */
export type HostRoots = { proc: string; etc: string };

const ROOTS: HostRoots = { proc: "/proc", etc: "/etc" };
const MIB = 1024 * 1024;

export async function readHostFacts(options: HostFactsOptions): Promise<HostFacts> {
  const roots = { ...ROOTS, ...options.roots };
  const [osRelease, bootId] = await Promise.all([text(`${roots.etc}/os-release`), readBootId(roots.proc)]);
  return {
    hostname: hostname(),
    os: osName(osRelease),
    kernel: release(),
    arch: arch(),
    cpuModel: cpus()[0]?.model.trim() || "unknown",
    cpuCount: cpuCount(),
    memoryTotalMib: memoryTotalMib(),
    user: userName(),
    bootId,
    agentVersion: options.agentVersion,
    nodeVersion: process.versions.node,
    ...options.gpu,
    ...(options.containsJobs === undefined ? {} : { containsJobs: options.containsJobs }),
    ...(options.tunnels === undefined ? {} : { tunnels: options.tunnels }),
    ...(options.home === undefined ? {} : { place: await readPlace(options.home, roots) }),
  };
}

/** Changes with each boot; a pid and a start time mean the same process only within one. */
export async function readBootId(procRoot = ROOTS.proc): Promise<string> {
  return (await text(`${procRoot}/sys/kernel/random/boot_id`)) ?? "unknown";
}

/**
 * Stays with an installation of an operating system. Hashed with our name, as systemd asks of those who show it: the id
 * itself is a secret of the machine.
 */
export async function readMachineHash(roots: Partial<HostRoots> = {}): Promise<string | null> {
  const id = await text(`${{ ...ROOTS, ...roots }.etc}/machine-id`);
  return id === null || id === ""
    ? null
    : createHash("sha256").update(`nexus-agent ${id}`).digest("hex").slice(0, 32);
}

/** @param osRelease the content of /etc/os-release, null where there is none */
export function osName(osRelease: string | null): string {
  const pretty = /^PRETTY_NAME=(?:"([^"]*)"|'([^']*)'|(.*))$/m.exec(osRelease ?? "");
  const name = pretty?.[1] ?? pretty?.[2] ?? pretty?.[3];
  return name?.trim() || (platform() === "darwin" ? "macOS" : type());
}

/** Processors that this process may use: fewer than the machine has inside a container or a CPU set. */
function cpuCount(): number {
  return availableParallelism();
}

/** @returns the control group's limit where it is lower than what the machine has */
export function memoryTotalMib(): number {
  const limit = process.constrainedMemory();
  const bytes = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return Math.floor(bytes / MIB);
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // An account without an entry, as containers like to run.
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}

async function text(path: string): Promise<string | null> {
  return readFile(path, "utf8").then(
    (content) => content.trim(),
    () => null,
  );
}

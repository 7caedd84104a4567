import { globSync, readFileSync } from "node:fs";

/** What Linux tells of one process. Ticks are of 10 ms on every Linux that Node runs on. */
type Seen = { pid: number; parent: number; cpuMs: number };

const TICK_MS = 10;

/** Processor time that a process and all below it have used so far. Children that ended count with their parent. */
export function cpuMsOfTree(root: number): number {
  return treeOf(root).reduce((sum, one) => sum + one.cpuMs, 0);
}

/** Resident memory of the process and all below it: what the machine loses to it, shared pages counted each time. */
export function memoryMibOfTree(root: number): number {
  return treeOf(root).reduce((sum, one) => sum + memoryMib(one.pid), 0);
}

export function memoryMib(pid: number): number {
  const [, kib = "0"] = /^VmRSS:\s+(\d+)/m.exec(read(`/proc/${pid}/status`)) ?? [];
  return Number(kib) / 1024;
}

function treeOf(root: number): Seen[] {
  const all = globSync("/proc/[0-9]*/stat").flatMap(see);
  const tree: Seen[] = [];
  const waiting = all.filter((one) => one.pid === root);
  for (let one = waiting.pop(); one; one = waiting.pop()) {
    const { pid } = one;
    tree.push(one);
    waiting.push(...all.filter((other) => other.parent === pid));
  }
  return tree;
}

/** The program's name stands in parentheses and may hold anything, so the fields are counted from the last one on. */
function see(file: string): Seen[] {
  const text = read(file);
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return text === ""
    ? []
    : [{ pid: Number.parseInt(text, 10), parent: Number(fields[1]), cpuMs: ticks * TICK_MS }];
}

/** A process may end between two looks. */
function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

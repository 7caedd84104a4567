import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What a running Postgres writes about itself into its data folder. */
export type PostmasterFile = {
  pid: number;
  status: string;
  /** As it was told: relative to the data folder, or absolute. */
  socketDir: string;
};

/** Null when there is none, or it is not written to its end yet. */
export function readPostmasterFile(dataDir: string): PostmasterFile | null {
  const text = readIfThere(join(dataDir, "postmaster.pid"));
  if (text === null) return null;
  const lines = text.split("\n");
  const pid = Number.parseInt(lines[0] ?? "", 10);
  if (!Number.isInteger(pid) || pid <= 0) return null;
  return { pid, status: (lines[7] ?? "").trim(), socketDir: (lines[4] ?? "").trim() };
}

/** The program and arguments it was last started with, as `postmaster.opts` has them. */
export function readStartedWith(dataDir: string): string | null {
  return readIfThere(join(dataDir, "postmaster.opts"))?.trim() ?? null;
}

/** The same text for a start that we would make. */
export function startedWith(program: string, args: string[]): string {
  return [program, ...args.map((arg) => `"${arg}"`)].join(" ");
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return null;
    throw cause;
  }
}

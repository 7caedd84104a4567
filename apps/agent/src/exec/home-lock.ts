/** One agent per home: two would both believe that the attempts in it are theirs. The lock dies with its holder. */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import { refusalOfDisk } from "./disk-refusal.ts";
import type { ProcessTable } from "./process-row.ts";

export type HomeLock = { release(): void };

export function lockHome(home: string, bootId: string, table: ProcessTable): HomeLock {
  const path = join(home, "supervisor.lock");
  const own = `${bootId} ${process.pid} ${table.startTimeOf(process.pid)}\n`;
  const mine = `${path}.${process.pid}`;
  try {
    writeFileSync(mine, own, { mode: 0o600 });
    for (;;) {
      // A link fails where the name is taken, and a half-written lock is never seen.
      if (link(mine, path)) return { release: () => rmSync(path, { force: true }) };
      const holder = readText(path);
      const [holderBoot, holderPid, holderStart] = holder.trim().split(" ");
      const lives = holderBoot === bootId && table.startTimeOf(Number(holderPid)) === holderStart;
      if (lives) {
        throw new NexusError("conflict", {
          detail: `Another agent (process ${holderPid}) uses ${home}. Stop it, or give this one a home of its own.`,
        });
      }
      takeAside(path, holder);
    }
  } catch (error) {
    throw error instanceof NexusError
      ? error
      : refusalOfDisk(error, `The agent's home ${home} cannot be used`);
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Another agent may take over the same stale lock at this moment: what turns out to be its lock goes back. */
function takeAside(path: string, stale: string): void {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  if (readText(aside) !== stale) link(aside, path);
  rmSync(aside, { force: true });
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

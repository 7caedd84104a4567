import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import type { DatabaseAddress } from "../client.ts";
import { DATABASE_NAME, DATABASE_USER } from "./init-data.ts";
import { embeddedLayout } from "./layout.ts";
import { readPostmasterFile } from "./postmaster-file.ts";
import { identifyServerProcess } from "./server-process.ts";

/**
 * The embedded Postgres that a control plane runs in this home, for a command beside it; null when none runs. Its own word
 * says where its socket is: the shell that started it may have named another short folder. Postgres lets in its own user alone.
 */
export function findRunningPostgres(home: string): DatabaseAddress | null {
  try {
    const { dataDir } = embeddedLayout(realpathSync(home), "/tmp");
    const file = readPostmasterFile(dataDir);
    if (file?.status !== "ready" || identifyServerProcess(file.pid, dataDir) !== "ours") return null;
    return { socketDir: resolve(dataDir, file.socketDir), user: DATABASE_USER, database: DATABASE_NAME };
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : null;
    if (code === "ENOENT") return null;
    if (code !== "EACCES") throw cause;
    throw new NexusError("forbidden", {
      detail: `${home} is closed to you. Run this as the user that Nexus runs as there.`,
      cause,
    });
  }
}

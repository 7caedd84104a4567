import { join } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import { migrate } from "../db/migrate.ts";
import type { Env } from "../env.ts";
import type { Log } from "../logger/create-logger.ts";

/** For a database that several servers share: applies what is missing, once, and ends. */
export async function runMigrate({
  env,
  log,
  appDir,
}: {
  env: Env;
  log: Log;
  appDir: string;
}): Promise<void> {
  if (env.DATABASE_URL === undefined) {
    throw new NexusError("bad_request", {
      detail: "migrate needs DATABASE_URL. The embedded database is migrated whenever Nexus starts.",
    });
  }
  const applied = await migrate({
    address: { url: env.DATABASE_URL },
    folder: join(appDir, "drizzle"),
    log: (text) => log("info", text),
  });
  log("info", applied.length === 0 ? "nothing to migrate" : "migrated", { applied });
}

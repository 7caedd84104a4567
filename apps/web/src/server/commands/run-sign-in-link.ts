import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import { createDb, type DatabaseAddress } from "../db/client.ts";
import { findRunningPostgres } from "../db/embedded/find-running-postgres.ts";
import { checkMigrated } from "../db/migrate.ts";
import type { Env } from "../env.ts";
import { refuseForgottenDatabase } from "../home-database.ts";
import { originsOf, reachableHosts } from "../http/reachable-origins.ts";
import type { Log } from "../logger/create-logger.ts";
import { operatorSignInLink } from "../services/access/operator-sign-in-link.ts";

/** Prints a one-time link for whoever has a shell on the server. Works beside a running server, over the same database. */
export async function runSignInLink(options: {
  env: Env;
  log: Log;
  appDir: string;
  email: string | undefined;
}): Promise<void> {
  const { env, appDir, email } = options;
  const address = await addressOf(env);
  await checkMigrated({ address, folder: join(appDir, "drizzle") });
  const client = createDb(address);
  try {
    const scheme = env.NEXUS_TLS === "self-signed" ? "https" : "http";
    const hosts = reachableHosts(env.NEXUS_HOST);
    const [url = ""] = originsOf({ publicUrl: env.NEXUS_PUBLIC_URL, scheme, hosts, port: env.NEXUS_PORT });
    const clock = { nowMs: () => Date.now() };
    const { link, email: owner } = await operatorSignInLink(
      { db: client.db, clock, randomBytes, url },
      email,
    );
    process.stdout.write(`${link}\n`);
    process.stderr.write(`Signs ${owner} in, once, within the next minutes. Give it to nobody else.\n`);
  } finally {
    await client.close();
  }
}

/** The embedded Postgres is its control plane's: it is used while it runs, and not started for this. */
async function addressOf({ DATABASE_URL: url, NEXUS_HOME: home }: Env): Promise<DatabaseAddress> {
  if (url !== undefined) return { url };
  await refuseForgottenDatabase(home);
  const running = findRunningPostgres(home);
  if (running) return running;
  throw new NexusError("unavailable", {
    detail: `No control plane is ready in ${home}. Start it with \`npm run up\`, which prints a link; of one on a Postgres elsewhere give its DATABASE_URL, of one in another home its NEXUS_HOME.`,
  });
}

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import { createDb } from "../db/client.ts";
import { checkMigrated } from "../db/migrate.ts";
import type { Env } from "../env.ts";
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
  if (env.DATABASE_URL === undefined) {
    throw new NexusError("bad_request", {
      detail: "sign-in-link needs DATABASE_URL. A server that `npm run up` started prints its link itself.",
    });
  }
  const address = { url: env.DATABASE_URL };
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

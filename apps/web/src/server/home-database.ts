/**
 * Which Postgres elsewhere this home was last used with, in `database.json`: so that a start without DATABASE_URL does not
 * begin on a new, empty database beside the logs and keys that belong to another one. It holds no user and no password.
 */
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import { hostInQuery } from "./db/host-in-query.ts";

const FILE = "database.json";

export async function rememberDatabase(home: string, url: string): Promise<void> {
  const path = join(home, FILE);
  const { hostname, port, pathname } = new URL(url);
  const host = hostInQuery(url)?.host ?? hostname;
  const text = `${JSON.stringify({ host, port: port || "5432", database: pathname.slice(1) })}\n`;
  if ((await readFile(path, "utf8").catch(() => null)) === text) return;
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** For a start without DATABASE_URL. @throws NexusError `invalid_state` */
export async function refuseForgottenDatabase(home: string): Promise<void> {
  const path = join(home, FILE);
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return null;
    throw cause;
  });
  if (text === null) return;
  throw new NexusError("invalid_state", {
    detail: `${home} was last used with the Postgres ${placeOf(text)}, and DATABASE_URL is not set. Set it to go on with that one. To use the embedded database instead, which knows nothing of it, remove ${path} first.`,
  });
}

function placeOf(text: string): string {
  try {
    const { host, port, database } = JSON.parse(text) as Record<string, string>;
    return `at ${host}:${port}, database ${database}`;
  } catch {
    return "that DATABASE_URL named";
  }
}

import { access, constants, statfs } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { OutputOf } from "@nexus/shared/api/contract";
import type { Client } from "./db/client.ts";
import { readDatabaseFacts } from "./db/queries/read-database-facts.ts";
import { sshCrypto } from "./services/ssh/create-ssh-connector.ts";

const MIB = 1024 * 1024;
/** A large database has many files, and to ask for its size asks each of them. */
const FACTS_FOR_MS = 30_000;

export type ServerHealthOptions = {
  sql: Client["sql"];
  home: string;
  version: string;
  isEmbedded: boolean;
  /** What programs that we start are given. */
  programEnv: Readonly<Record<string, string | undefined>>;
  nowMs(): number;
};

/** How the control plane itself fares, asked of the things themselves each time, but for the facts of the database. */
export function createServerHealth(options: ServerHealthOptions): () => Promise<OutputOf<"server.health">> {
  const { sql, home, version, isEmbedded, nowMs } = options;
  let known: { atMs: number; facts: Awaited<ReturnType<typeof readDatabaseFacts>> } | null = null;

  async function factsOfDatabase() {
    if (known === null || nowMs() - known.atMs >= FACTS_FOR_MS)
      known = { atMs: nowMs(), facts: await readDatabaseFacts(sql) };
    return known.facts;
  }

  return async () => {
    const beganAtMs = performance.now();
    await sql`select 1`;
    const tookMs = performance.now() - beganAtMs;
    return {
      version,
      nodeVersion: process.versions.node,
      database: { ...(await factsOfDatabase()), isEmbedded, tookMs },
      disk: await diskOf(home),
      ssh: { ...sshCrypto(), hasSystemSsh: await hasProgram("ssh", options.programEnv.PATH) },
      nowMs: nowMs(),
    };
  };
}

async function diskOf(path: string): Promise<OutputOf<"server.health">["disk"]> {
  try {
    const { bavail, blocks, bsize } = await statfs(path);
    return {
      path,
      freeMib: Math.floor((bavail * bsize) / MIB),
      totalMib: Math.floor((blocks * bsize) / MIB),
    };
  } catch {
    // A home that is gone is told elsewhere, and louder.
    return null;
  }
}

async function hasProgram(name: string, searchPath = ""): Promise<boolean> {
  for (const folder of searchPath.split(delimiter)) {
    const isThere = await access(join(folder, name), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (folder !== "" && isThere) return true;
  }
  return false;
}

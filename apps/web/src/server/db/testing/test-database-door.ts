/**
 * Vitest's global set-up, in its main process. Owns: one Postgres for the whole run, with a migrated database as template.
 * States: closed → asked → open. It starts when the first test asks, so pure tests never wait for it, and it ends with
 * the run, also a killed one: Postgres is tied to this process.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../embedded/start-embedded-postgres.ts";
import { migrate } from "../migrate.ts";
import { testRuntimeRoot } from "./test-runtime-root.ts";

declare module "vitest" {
  interface ProvidedContext {
    testDatabaseDoor: string;
  }
}

export default function openDoor(project: TestProject): () => Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "nexus-test-"));
  const door = join(home, "door");
  let opening: Promise<EmbeddedPostgres> | null = null;
  const server = createServer(async (socket) => {
    opening ??= startTemplate(home);
    const answer = await opening.then(
      ({ socketDir, user, database }) => ({ address: { socketDir, user, database } }),
      (cause: unknown) => ({ error: cause instanceof Error ? cause.message : String(cause) }),
    );
    socket.end(JSON.stringify(answer));
  });
  server.listen(door);
  project.provide("testDatabaseDoor", door);
  return async () => {
    server.close();
    await opening?.then((postgres) => postgres.stop()).catch(() => undefined);
    rmSync(home, { recursive: true, force: true });
  };
}

async function startTemplate(home: string): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ home, isDurable: false, runtimeRoot: testRuntimeRoot() });
  const { socketDir, user, database } = postgres;
  await migrate({ address: { socketDir, user, database }, folder: migrationFolder() });
  return postgres;
}

function migrationFolder(): string {
  return join(import.meta.dirname, "../../../../drizzle");
}

import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { text } from "node:stream/consumers";
import postgres from "postgres";
import { inject } from "vitest";
import { type Client, createDb } from "../client.ts";
// Brings the type of what the door provides.
import type {} from "./test-database-door.ts";

export type TestDatabase = Client & {
  address: SocketAddress;
  /** Ends the connections, also those of others, and drops the database. */
  close(): Promise<void>;
};

type SocketAddress = { socketDir: string; user: string; database: string };

let template: Promise<SocketAddress> | null = null;
let made = 0;

/** A database of its own for a test file: a clone of the migrated template, in some 20 ms. */
export async function createTestDatabase(): Promise<TestDatabase> {
  template ??= askDoor();
  const source = await template;
  const database = `test_${process.pid}_${made++}`;
  await asAdmin(source, `create database ${database} template ${source.database}`);
  const address = { ...source, database };
  const client = createDb(address);
  return {
    ...client,
    address,
    async close() {
      await client.close();
      await asAdmin(source, `drop database if exists ${database} with (force)`);
    },
  };
}

async function askDoor(): Promise<SocketAddress> {
  const socket = connectSocket(inject("testDatabaseDoor"));
  await once(socket, "connect");
  const answer = JSON.parse(await text(socket)) as { address: SocketAddress } | { error: string };
  if ("error" in answer) throw new Error(`the test database did not start: ${answer.error}`);
  return answer.address;
}

/** A template must have no connections while it is copied: orders go through the database `postgres`. */
async function asAdmin({ socketDir, user }: SocketAddress, statement: string): Promise<void> {
  const sql = postgres({ host: socketDir, user, database: "postgres", max: 1, onnotice: () => undefined });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}

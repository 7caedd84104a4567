import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ActiveSeat, type ActiveSeatOptions, createActiveSeat } from "./active-seat.ts";
import { type Client, createDb } from "./db/client.ts";
import { takeOwnerLock } from "./db/embedded/owner-lock.ts";
import { createTestDatabase, type TestDatabase } from "./db/testing/test-database.ts";
import { takeTestTerm } from "./services/term/testing/test-term.ts";

let db: TestDatabase;
let home: string;
let client: Client;
let seat: ActiveSeat;
let asks = 0;

beforeEach(async () => {
  db = await createTestDatabase();
  home = mkdtempSync(join(tmpdir(), "nexus-seat-"));
  client = createDb(db.address);
  const options: ActiveSeatOptions = {
    env: { NEXUS_HOME: home, NEXUS_UP: false } as ActiveSeatOptions["env"],
    log: () => undefined,
    opened: {
      address: db.address,
      get isOwn() {
        asks += 1;
        return false;
      },
      ended: new Promise(() => undefined),
      close: async () => undefined,
    },
    client,
    masterKey: new Uint8Array(32),
    url: "http://127.0.0.1:1",
    folder: join(import.meta.dirname, "../../drizzle"),
  };
  seat = createActiveSeat(options);
});
afterEach(async () => {
  seat.close();
  await client.close();
  await db.close();
  rmSync(home, { recursive: true });
});

test("[O41] one that stands by on the home of the active one goes on waiting while that one is between two terms", async () => {
  const owner = await takeOwnerLock(join(home, "owner.lock"), "a Nexus control plane");
  const active = await takeTestTerm(db);
  const standby = Promise.withResolvers<void>();
  const leave = new AbortController();
  const taken = seat.take(leave.signal, () => standby.resolve());
  const early = taken.then(() => "took over", String);
  await standby.promise;
  await active.close();
  // It asks again meanwhile, with the home held and no lock on the database.
  const before = asks;
  await expect.poll(() => asks).toBeGreaterThan(before + 2);
  owner.release();
  expect(await early).toBe("took over");
  await (await taken)?.close();
});

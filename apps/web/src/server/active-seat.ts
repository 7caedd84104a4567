/**
 * The way to being the active control plane of a database, and the wait for it.
 *
 * Owns: the lock on the home, once it was got, until the end: so two processes never write log files of one home, and one
 * that stands by on the home of the active one gets it with that one's death. States: asking → active for a term → asking.
 * Refuses: a home that another control plane uses which is not active, a database that lacks migrations, a master key that
 * is not the database's, and, for `npm run up`, to stand by.
 */
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { NexusError } from "@nexus/shared/errors";
import type { Client } from "./db/client.ts";
import { type OwnerLock, takeOwnerLock } from "./db/embedded/owner-lock.ts";
import { checkMigrated, migrate } from "./db/migrate.ts";
import type { ControlPlaneName } from "./db/queries/begin-epoch.ts";
import { type ActiveControlPlane, findControlPlane } from "./db/queries/find-control-plane.ts";
import { isActiveLockTaken } from "./db/queries/hold-active-lock.ts";
import type { Env } from "./env.ts";
import { rememberDatabase } from "./home-database.ts";
import type { Log } from "./logger/create-logger.ts";
import type { OpenDatabase } from "./open-database.ts";
import { loadServerIdentity } from "./services/server-identity.ts";
import { type Term, takeTerm } from "./services/term/take-term.ts";

export type ActiveSeat = {
  /**
   * Waits until this control plane is the active one.
   * @param onStandby the wait is longer than a restart takes; hears whom it waits for.
   * @returns null when `signal` aborted first.
   */
  take(signal: AbortSignal, onStandby: (message: string) => void): Promise<Term | null>;
  close(): void;
};

export type ActiveSeatOptions = {
  env: Env;
  log: Log;
  opened: OpenDatabase;
  /** Without an epoch: who stands by writes nothing. */
  client: Client;
  masterKey: Uint8Array;
  url: string;
  /** The `drizzle` folder. */
  folder: string;
};

/** A takeover begins within this of the active one's end. */
const ASK_MS = 300;
/** The one before us may still be closing. */
const PATIENCE_MS = 1_500;

export function createActiveSeat(options: ActiveSeatOptions): ActiveSeat {
  const { env, log, opened, client, masterKey, folder } = options;
  const self: ControlPlaneName = {
    host: hostname(),
    pid: process.pid,
    url: options.url,
    home: env.NEXUS_HOME,
  };
  const migrations = { address: opened.address, folder, log: (text: string) => log("info", text) };
  const mayMigrate = opened.isOwn || env.NEXUS_UP;
  let home: OwnerLock | null = null;
  let waitsForHome = false;
  let isChecked = false;
  let wasActive = false;

  return {
    async take(signal, onStandby) {
      const askedAtMs = performance.now();
      let standsBy = false;
      while (!signal.aborted) {
        const term = await tryOnce().catch((cause: unknown) => {
          // What a person must mend ends us; a database that is away while we stand by comes back.
          if (cause instanceof NexusError || !(standsBy || wasActive)) throw cause;
          log("error", "cannot become the active control plane", { cause: String(cause) });
          return null;
        });
        if (term) {
          if (standsBy) log("info", "took over: this control plane is the active one", { epoch: term.epoch });
          wasActive = true;
          if (env.DATABASE_URL !== undefined) await rememberDatabase(env.NEXUS_HOME, env.DATABASE_URL);
          return term;
        }
        const isLate = wasActive || performance.now() - askedAtMs > PATIENCE_MS;
        if (isLate && !standsBy) {
          const active = await findControlPlane(client.sql).catch(() => null);
          if (env.NEXUS_UP && !wasActive) throw refusalOfUp(active);
          standsBy = true;
          const message = `${activeText(active)} This one stands by and takes over when that one ends.`;
          log("warn", message);
          onStandby(message);
        }
        await delay(ASK_MS, undefined, { signal }).catch(() => undefined);
      }
      return null;
    },
    close() {
      home?.release();
    },
  };

  async function tryOnce(): Promise<Term | null> {
    if (!mayMigrate) await checkOnce();
    if (!opened.isOwn && home === null) {
      home = await takeHome();
      if (home === null) return null;
    }
    const prepare = async () => {
      // The database may have changed since we began to stand by.
      if (mayMigrate) await migrate(migrations);
      else await checkMigrated(migrations);
    };
    return await takeTerm({ sql: client.sql, self, prepare, log });
  }

  /** What would keep us from being active is told at the start, not in the night when the other one dies. */
  async function checkOnce(): Promise<void> {
    if (isChecked) return;
    await checkMigrated(migrations);
    await loadServerIdentity(client.db, masterKey);
    isChecked = true;
  }

  async function takeHome(): Promise<OwnerLock | null> {
    try {
      return await takeOwnerLock(join(env.NEXUS_HOME, "owner.lock"), "a Nexus control plane");
    } catch (cause) {
      const isHeld = cause instanceof NexusError && cause.code === "conflict";
      // Held by the active one, or by one that stood by before us: we are next, also while that one is between two terms.
      if (!isHeld || !(waitsForHome || (await isActiveLockTaken(client.sql)))) throw cause;
      waitsForHome = true;
      return null;
    }
  }

  function refusalOfUp(active: ActiveControlPlane | null): NexusError {
    const isOurs = active?.host === self.host && active.home === self.home;
    return new NexusError(isOurs ? "conflict" : "invalid_state", {
      detail: `${activeText(active)} Use that one, stop it first, or unset DATABASE_URL for a Nexus of your own.`,
    });
  }
}

function activeText(active: ActiveControlPlane | null): string {
  if (!active) return "Another control plane is active on this database.";
  const since = new Date(active.sinceMs).toISOString();
  return `Another control plane is active on this database: ${active.url} (process ${active.pid} on ${active.host}, since ${since}).`;
}

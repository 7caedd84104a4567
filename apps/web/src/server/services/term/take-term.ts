/**
 * The time in which this control plane is the active one of its database.
 *
 * Owns: the connection with the active lock, and the timer that asks after it. States: held; unsure (the connection broke, and
 * the lock is asked for again: nothing is planned meanwhile, but what nodes say is still written, since nobody else is active
 * while the epoch is ours; who has the lock then is this term's own earlier session, which Postgres has not given up yet, or
 * another control plane that has not begun its epoch); ended. Invariant: a term that ended never begins again, and Postgres refuses every statement of its
 * epoch once another one began, so nothing here has to be quick for the data to be safe.
 */

import type { Client } from "../../db/client.ts";
import { beginEpoch, type ControlPlaneName } from "../../db/queries/begin-epoch.ts";
import { findControlPlane } from "../../db/queries/find-control-plane.ts";
import { type ActiveLock, holdActiveLock } from "../../db/queries/hold-active-lock.ts";
import type { Right } from "../ports.ts";
import type { ServiceLog } from "../service-context.ts";

export type Term = {
  readonly epoch: number;
  readonly right: Right;
  /** Settles when another control plane may be active, with why. */
  readonly ended: Promise<string>;
  close(): Promise<void>;
};

export type TermOptions = {
  /** Any connection to the database; the lock gets one of its own with the same options. */
  sql: Client["sql"];
  self: ControlPlaneName;
  /** Between the lock and the epoch: whoever is to be active may have to migrate the database first. */
  prepare?: () => Promise<void>;
  log: ServiceLog;
};

const CHECK_MS = 2_000;
/** An answer that takes longer is none: a connection may be dead without a word. */
const CHECK_WAIT_MS = 5_000;
const RETAKE_MS = 250;

/** @returns null while another control plane is active. */
export async function takeTerm(options: TermOptions): Promise<Term | null> {
  const { sql, log } = options;
  const ended = Promise.withResolvers<string>();
  const regained = new Set<() => void>();
  let lock: ActiveLock | null = null;
  let isOver = false;
  let isWaitTold = false;
  let timer: NodeJS.Timeout | null = null;
  let looking: Promise<void> = Promise.resolve();

  const first = await holdActiveLock(sql, onLost);
  if (!first) return null;
  let epoch: number;
  try {
    await options.prepare?.();
    epoch = await beginEpoch(first.sql, options.self);
  } catch (cause) {
    await first.release();
    throw cause;
  }
  lock = first;
  look(CHECK_MS);
  return {
    epoch,
    ended: ended.promise,
    right: {
      isHeld: () => lock !== null && !isOver,
      onRegained(listener) {
        regained.add(listener);
        return () => regained.delete(listener);
      },
    },
    async close() {
      isOver = true;
      if (timer) clearTimeout(timer);
      await looking;
      await letGo();
    },
  };

  function onLost(): void {
    if (lock === null || isOver) return;
    log("warn", "the connection that makes this control plane the active one broke; asking for it again");
    look(0);
  }

  function look(afterMs: number): void {
    if (isOver) return;
    if (timer) clearTimeout(timer);
    timer = setTimeout(() => {
      timer = null;
      looking = looking.then(lookNow).catch((error: unknown) => {
        log("error", "the active lock cannot be asked for", { error: String(error) });
        look(RETAKE_MS);
      });
    }, afterMs);
  }

  async function lookNow(): Promise<void> {
    if (isOver) return;
    if (lock && (await answersInTime(lock))) return look(CHECK_MS);
    await letGo();
    await retake();
  }

  async function retake(): Promise<void> {
    let again: ActiveLock | null = null;
    let isOurs: boolean;
    try {
      again = await holdActiveLock(sql, onLost);
      isOurs = (await findControlPlane(again?.sql ?? sql))?.epoch === epoch;
    } catch {
      // The database is away: nobody else can be active either.
      await again?.release();
      return look(RETAKE_MS);
    }
    if (isOver || !isOurs) await again?.release();
    if (isOver) return;
    if (!isOurs) {
      isOver = true;
      ended.resolve("another control plane became active");
    } else if (again) {
      lock = again;
      isWaitTold = false;
      log("info", "this control plane is still the active one", { epoch });
      for (const listener of regained) listener();
      look(CHECK_MS);
    } else {
      if (!isWaitTold)
        log("warn", "the database has not given up the earlier connection yet; waiting for it");
      isWaitTold = true;
      look(RETAKE_MS);
    }
  }

  /** From here on nothing is planned, also while the lock's connection takes its time to end. */
  async function letGo(): Promise<void> {
    const held = lock;
    lock = null;
    await held?.release();
  }
}

async function answersInTime(lock: ActiveLock): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), CHECK_WAIT_MS);
  try {
    return await Promise.race([lock.isHeld(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

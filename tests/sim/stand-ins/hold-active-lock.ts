/** In place of apps/web/src/server/db/queries/hold-active-lock.ts: one program at a time, while its connection lives. */
import type { DatabaseHandle, Lock } from "../world/database.ts";
import { kernel } from "../world/kernel.ts";
import { machineNamed } from "../world/machine.ts";

/** The connection of a program that died is found dead a moment later, that of a machine without power by its silence. */
const NOTICED_MS = 5;
const SILENCE_MS = 14_000;

export async function holdActiveLock(handle: DatabaseHandle, onLost: () => void) {
  const { database, program, ask } = handle;
  const own: Lock = { program, onLost: () => undefined };
  const letGo = () => {
    if (database.lock === own) database.lock = null;
  };
  const take = () => {
    if (database.lock !== null) return false;
    database.lock = own;
    const onDeath = () =>
      kernel().after(machineNamed(program.machine.name).isUp ? NOTICED_MS : SILENCE_MS, null, letGo);
    if (program.isAlive) program.onDeath.push(onDeath);
    else onDeath();
    return true;
  };
  const isTaken = await ask(take).catch((error: unknown) => {
    // With the connection that brought no reply ends what was locked on it.
    letGo();
    throw error;
  });
  if (!isTaken || database.lock !== own) return null;
  own.onLost = onLost;
  return {
    sql: handle,
    isHeld: () => ask(() => database.lock === own).catch(() => false),
    release: () => ask(letGo).catch(letGo),
  };
}

export const isActiveLockTaken = ({ ask, database }: DatabaseHandle) => ask(() => database.lock !== null);

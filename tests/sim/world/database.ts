/**
 * A database server in front of the tables: statements take their time, happen whole or not at all, and a reply may get lost
 * though the statement was committed.
 *
 * Owns: the tables, whether it is up, the advisory lock. Invariants: statements happen one after the other, each at one moment
 * between its sending and its reply; what was committed stays, whoever dies.
 */
import { perform as performStatement, UnknownStatement } from "../database/statements.ts";
import type { Tables } from "../database/tables.ts";
import { kernel, type Program } from "./kernel.ts";

export type Lock = { program: Program; onLost: () => void };

export type Database = {
  readonly tables: Tables;
  isUp: boolean;
  /** How long a statement takes. */
  typicalMs: number;
  /** How likely a connection breaks before a statement happens, and after. */
  breaks: { before: number; after: number };
  lock: Lock | null;
  /** All connections break; statements that were sent may or may not have happened. */
  crash(): void;
  /** For one program: what it passes around as `sql` and `db`. */
  open(program: Program, epoch: number | null): DatabaseHandle;
  onCommit: ((name: string) => void) | null;
};

export type DatabaseHandle = {
  run(name: string, values: unknown[]): Promise<unknown>;
  begin(options: string, work: (transaction: DatabaseHandle) => unknown): Promise<unknown>;
  /** One that is no statement on tables. */
  ask<T>(work: () => T): Promise<T>;
  readonly program: Program;
  readonly database: Database;
};

export function createDatabase(tables: Tables): Database {
  /** Grows with each crash. */
  let life = 0;
  const database: Database = {
    tables,
    isUp: true,
    typicalMs: 1,
    breaks: { before: 0, after: 0 },
    lock: null,
    onCommit: null,
    crash() {
      kernel().note("database crashes");
      database.isUp = false;
      life += 1;
      breakLock();
    },
    open(program, epoch) {
      const handle: DatabaseHandle = {
        program,
        database,
        run: (name, values) =>
          handle.ask(() => {
            // A transaction of several round trips, on the connection with the lock: it ends with either.
            const isCut = name === "beginEpoch" && (!program.isAlive || database.lock?.program !== program);
            if (isCut) throw brokenConnection();
            return perform(epoch, name, values);
          }),
        begin: (_options, work) =>
          handle.ask(() => {
            // All that a reading transaction asks for is of one moment.
            const transaction = {
              ...handle,
              run: async (name: string, values: unknown[]) => perform(epoch, name, values),
            };
            return work(transaction);
          }),
        ask: (work) => ask(program, work),
      };
      return handle;
    },
  };
  return database;

  function perform(epoch: number | null, name: string, values: unknown[]): unknown {
    const result = performStatement(tables, epoch, [name, ...values]);
    kernel().tell(
      () =>
        `database ${name} ${JSON.stringify(values).slice(0, 300)} → ${JSON.stringify(result)?.slice(0, 300)}`,
    );
    database.onCommit?.(name);
    return result;
  }

  function ask<T>(program: Program, work: () => T): Promise<T> {
    kernel().call();
    const { random, after } = kernel();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const sentIn = life;
    const { before, after: afterwards } = database.breaks;
    const fail = (wait: number) => after(wait, program, () => reject(brokenConnection()));
    const replyMs = () => random.delayMs(database.typicalMs);
    after(random.delayMs(database.typicalMs), null, () => {
      if (!database.isUp || sentIn !== life || random.chance(before)) {
        fail(replyMs());
        return;
      }
      let settle: () => void;
      try {
        const result = work();
        settle = () => resolve(result);
      } catch (error) {
        if (error instanceof UnknownStatement)
          kernel().violate("every statement is simulated", error.message);
        settle = () => reject(error);
      }
      if (random.chance(afterwards)) {
        kernel().note(`${program.name} gets no reply of a statement`);
        fail(replyMs());
      } else {
        after(replyMs(), program, () => (sentIn === life ? settle() : reject(brokenConnection())));
      }
    });
    return promise;
  }

  function breakLock(): void {
    const held = database.lock;
    database.lock = null;
    if (held !== null) kernel().after(1, held.program, () => held.onLost());
  }
}

function brokenConnection(): Error {
  return Object.assign(new Error("the connection to the database ended"), { code: "CONNECTION_CLOSED" });
}

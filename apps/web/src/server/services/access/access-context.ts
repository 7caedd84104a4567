import type { Database } from "../../db/database.ts";
import type { Clock, EventBus, RandomBytes } from "../ports.ts";
import type { Accounts } from "./accounts.ts";

/** What the services of accounts, members and keys work with. */
export type AccessContext = {
  db: Database;
  accounts: Accounts;
  events: EventBus;
  clock: Clock;
  randomBytes: RandomBytes;
  /** Where people reach the dashboard, without a slash at the end. */
  url: string;
};

/** What an operator's command has: the same database, and nobody signed in. */
export type OperatorContext = Pick<AccessContext, "db" | "clock" | "randomBytes" | "url">;

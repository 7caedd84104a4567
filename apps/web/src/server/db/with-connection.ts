import { NexusError } from "@nexus/shared/errors";
import type postgres from "postgres";
import { connect, type DatabaseAddress } from "./client.ts";
import { hostInQuery } from "./host-in-query.ts";

/** Codes of Node and of `postgres` for a server that is not there. */
const UNREACHABLE =
  /^(ECONN|ENOTFOUND|EAI_|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|ENOENT|CONNECT_TIMEOUT|CONNECTION_)/;
/** Class 28: who are you; 3D000: no such database; 53300: no place left; 57P03: it starts or stops. */
const REFUSED = /^(28...|3D000|53300|57P03)$/;

/** The driver's own limit ends with the handshake of TCP: what listens there may be no Postgres, and never answer. */
const FIRST_ANSWER_MS = 15_000;

/** One connection for a piece of work before there is a pool. A database that cannot be reached is told in a sentence. */
export async function withConnection<T>(
  address: DatabaseAddress,
  use: (sql: postgres.Sql) => Promise<T>,
  firstAnswerMs = FIRST_ANSWER_MS,
): Promise<T> {
  const sql = connect(address, { max: 1, connection: { application_name: "nexus-start" } });
  try {
    await withinMs(firstAnswerMs, sql`select 1`, () => silenceOf(address));
    return await use(sql);
  } catch (cause) {
    throw refusalOf(address, cause) ?? cause;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function withinMs<T>(limitMs: number, work: PromiseLike<T>, late: () => Error): Promise<T> {
  const deadline = Promise.withResolvers<never>();
  const timer = setTimeout(() => deadline.reject(late()), limitMs);
  try {
    return await Promise.race([work, deadline.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function silenceOf(address: DatabaseAddress): NexusError {
  const detail = `What listens at ${placeOf(address)} does not answer as a Postgres. Look at it, or correct DATABASE_URL.`;
  return new NexusError("unavailable", { detail });
}

function refusalOf(address: DatabaseAddress, cause: unknown): NexusError | null {
  const { code, message } = cause as { code?: unknown; message?: string };
  if (typeof code !== "string") return null;
  const place = placeOf(address);
  if (UNREACHABLE.test(code)) {
    const detail = `No Postgres answers at ${place} (${code}). Start it, or correct DATABASE_URL.`;
    return new NexusError("unavailable", { detail, cause });
  }
  if (!REFUSED.test(code)) return null;
  const isSetting = code.startsWith("28") || code === "3D000";
  const detail = `Postgres at ${place} refuses us: ${message}.${isSetting ? ` ${adviceFor(address)}` : ""}`;
  return new NexusError(isSetting ? "bad_request" : "unavailable", { detail, cause });
}

function adviceFor(address: DatabaseAddress): string {
  return "url" in address ? "Correct DATABASE_URL." : "Run this as the user that Nexus runs as there.";
}

/** Where, without the password. */
function placeOf(address: DatabaseAddress): string {
  if (!("url" in address)) return address.socketDir;
  const { hostname, port, pathname } = new URL(address.url);
  const host = hostInQuery(address.url)?.host ?? hostname;
  return `${host || "localhost"}:${port || 5432}${pathname}`;
}

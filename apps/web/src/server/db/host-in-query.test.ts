import { expect, it } from "vitest";
import { connect } from "./client.ts";
import { hostInQuery } from "./host-in-query.ts";

it("[O65] a host in the query of DATABASE_URL is the one that is asked, a socket's folder too", () => {
  const url = "postgresql://me@localhost/db?sslmode=disable&host=/run/pg";
  expect(hostInQuery(url)).toEqual({
    url: "postgresql://me@localhost/db?sslmode=disable",
    host: "/run/pg",
  });
  expect(hostInQuery("postgresql://me@localhost/db")).toBeNull();
  const { host, path, port, database, user } = connect({ url }, { max: 1 }).options as unknown as Record<
    string,
    unknown
  >;
  expect({ host, path, port, database, user }).toEqual({
    host: ["/run/pg"],
    path: "/run/pg/.s.PGSQL.5432",
    port: [5432],
    database: "db",
    user: "me",
  });
});

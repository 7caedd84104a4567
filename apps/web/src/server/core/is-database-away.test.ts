import { expect, it } from "vitest";
import { isDatabaseAway } from "./is-database-away.ts";

const coded = (code: string) => Object.assign(new Error("no"), { code });

it("[A29] a database that is away is told from a statement that it refused, however deep it is wrapped", () => {
  for (const code of ["ECONNREFUSED", "EPIPE", "CONNECTION_CLOSED", "57P02", "NX001"]) {
    expect(isDatabaseAway(new Error("a statement failed", { cause: coded(code) }))).toBe(true);
  }
  for (const thrown of [coded("23505"), coded("57014"), new Error("no"), "ECONNREFUSED", null]) {
    expect(isDatabaseAway(thrown)).toBe(false);
  }
});

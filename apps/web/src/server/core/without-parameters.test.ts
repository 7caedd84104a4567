import { DrizzleQueryError } from "drizzle-orm/errors";
import { expect, it } from "vitest";
import { withoutParameters } from "./without-parameters.ts";

it("[A28] the text of a failed statement is logged without its parameters", () => {
  const error = new DrizzleQueryError("select $1", ["s3cret\nover lines"], new Error("connection lost"));
  for (const text of [String(error), error.stack ?? "", error.message]) {
    expect(withoutParameters(text)).toContain("select $1");
    expect(withoutParameters(text)).not.toMatch(/s3cret|over lines/);
  }
  expect(withoutParameters(error.stack ?? "")).toContain("\n    at ");
  expect(withoutParameters("params: of a person stay")).toBe("params: of a person stay");
});

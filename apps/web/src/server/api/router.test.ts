import { contract, type OutputOf } from "@nexus/shared/api/contract";
import { ROLES } from "@nexus/shared/roles";
import type { inferRouterOutputs } from "@trpc/server";
import { describe, expect, expectTypeOf, it } from "vitest";
import * as z from "zod";
import { type AppRouter, appRouter } from "./router.ts";
import { PROCEDURES } from "./testing/test-api.ts";

/** Words that name key material. */
const SECRET_WORD = /secret|password|token|credential|private|seed|hash|cookie|key|link/i;
/** What may carry such a name, and why. */
const ALLOWED: Record<string, string> = {
  "apiKeys.create apiKey": "the key's facts, without the key",
  "apiKeys.create secret": "a new key, shown once to the one who made it",
  "enrollTokens.create enrollToken": "the token's facts, without the seed",
  "enrollTokens.create secret": "a new token, shown once to the one who made it",
  "ssh.ways key": "type and fingerprint of the public key",
  "members.add link": "a new member's one-time link, shown once to the one who added them",
};

describe("the router", () => {
  it("[A1] has every procedure of the contract, of its kind, and no other", () => {
    const built = appRouter._def.procedures as unknown as Record<string, { _def: { type: string } }>;
    expect(Object.keys(built).sort()).toEqual([...PROCEDURES].sort());
    for (const name of PROCEDURES) expect(built[name]?._def.type).toBe(contract[name].kind);
    for (const name of PROCEDURES) expect(ROLES).toContain(contract[name].role);
  });

  it("[A1] tells the dashboard the contract's types", () => {
    type Outputs = inferRouterOutputs<AppRouter>;
    expectTypeOf<Outputs["queues"]["list"]>().toEqualTypeOf<OutputOf<"queues.list">>();
    expectTypeOf<Outputs["members"]["add"]["link"]>().toEqualTypeOf<string>();
  });

  it.each(PROCEDURES)("[A15] %s gives out no key material", (name) => {
    const found = fieldsOf(contract[name].output)
      .filter((field) => SECRET_WORD.test(field.split(".").at(-1) ?? ""))
      .map((field) => `${name} ${field}`)
      .filter((field) => !(field in ALLOWED));
    expect(found).toEqual([]);
  });

  it("[A15] the walk sees nested fields, and every exception is still needed", () => {
    const schema = z.object({ list: z.array(z.object({ apiKey: z.nullable(z.string()) })) });
    expect(fieldsOf(schema)).toEqual(["list", "list.apiKey"]);
    const all = PROCEDURES.flatMap((name) =>
      fieldsOf(contract[name].output).map((field) => `${name} ${field}`),
    );
    for (const exception of Object.keys(ALLOWED)) expect(all).toContain(exception);
  });
});

/** Paths of all fields of objects in a schema. Free-form parts (`z.custom`) end the walk. */
function fieldsOf(schema: z.ZodType): string[] {
  const json = z.toJSONSchema(schema, { unrepresentable: "any", io: "output" });
  return [...walk(json, "")];
}

function* walk(node: unknown, path: string): Generator<string> {
  if (typeof node !== "object" || node === null) return;
  const { properties, items, anyOf, allOf, additionalProperties } = node as Record<string, unknown>;
  for (const [name, child] of Object.entries((properties ?? {}) as Record<string, unknown>)) {
    const here = path === "" ? name : `${path}.${name}`;
    yield here;
    yield* walk(child, here);
  }
  yield* walk(items, path);
  yield* walk(additionalProperties, path);
  for (const part of [anyOf, allOf].flat()) yield* walk(part, path);
}

import { NexusError } from "@nexus/shared/errors";
import { expect, test } from "vitest";
import { createPlaces } from "./places.ts";

function refusalOf(enter: () => unknown): NexusError | null {
  try {
    enter();
    return null;
  } catch (error) {
    if (error instanceof NexusError) return error;
    throw error;
  }
}

test("[B1] neither a person nor all together hold more places than there are, and a place is given back once", () => {
  const places = createPlaces({ what: "calls", totalMax: 3, personMax: 2, retryAfterMs: 1_000 });
  const leave = places.enter("ada");
  places.enter("ada");
  expect(refusalOf(() => places.enter("ada"))).toMatchObject({
    code: "rate_limited",
    retryAfterMs: 1_000,
    message: expect.stringContaining("2 calls"),
  });
  places.enter("bob");
  expect(refusalOf(() => places.enter("eve"))).toMatchObject({ code: "unavailable", retryAfterMs: 1_000 });
  leave();
  leave();
  places.enter("eve");
  expect(refusalOf(() => places.enter("ada"))).toMatchObject({ code: "unavailable" });
});

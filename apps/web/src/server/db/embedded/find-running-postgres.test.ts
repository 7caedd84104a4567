import { dirname } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findRunningPostgres } from "./find-running-postgres.ts";
import { ask, type Fixture, openFixture } from "./testing/embedded-fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

test("[O66] a command finds the embedded Postgres beside its control plane while it runs, and lets it be", async () => {
  const home = fixture.makeHome();
  expect(findRunningPostgres(home)).toBeNull();
  // Its socket's short folder lies where the environment of another shell would not look.
  const shortRoot = dirname(fixture.runtimeRoot);
  for (const options of [{ home }, { home: `${home}/${"deep".repeat(25)}`, shortRoot }]) {
    const server = fixture.launch({ ...options, runtimeRoot: fixture.runtimeRoot, isDurable: false });
    const answer = await server.answer;
    if (!answer.ok) throw new Error(answer.message);
    const found = findRunningPostgres(options.home);
    expect(found).toEqual({ socketDir: answer.socketDir, user: "nexus", database: "nexus" });
    expect(await ask(answer.socketDir, "select 1 as one")).toEqual([{ one: 1 }]);
    await server.stop();
    expect(findRunningPostgres(options.home)).toBeNull();
  }
});

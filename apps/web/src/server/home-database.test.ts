import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { refuseForgottenDatabase, rememberDatabase } from "./home-database.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "nexus-home-"));
});
afterEach(() => rm(home, { recursive: true }));

test("[O47] a home used with a Postgres elsewhere refuses a start without it, and says how to go on", async () => {
  await refuseForgottenDatabase(home);
  await rememberDatabase(home, "postgres://me:hunter2@db.lab.test/nexus");
  const path = join(home, "database.json");
  expect(await readFile(path, "utf8")).not.toMatch(/hunter2|me:/);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await expect(refuseForgottenDatabase(home)).rejects.toMatchObject({
    code: "invalid_state",
    message: expect.stringMatching(
      /Postgres at db\.lab\.test:5432, database nexus, and DATABASE_URL is not set.*remove .*database\.json first/,
    ),
  });
  await rm(path);
  await refuseForgottenDatabase(home);
});

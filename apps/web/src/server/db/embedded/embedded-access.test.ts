import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chooseServerUser } from "./server-user.ts";
import { ask, type Fixture, openFixture } from "./testing/embedded-fixture.ts";

let fixture: Fixture;
// What root lends and what others may not do can only be seen as root; a normal user has nothing to run here.
const isRoot = process.getuid?.() === 0;

beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

if (isRoot)
  test("[O15] neither the user that Postgres runs as nor any other can connect", async () => {
    const deep = `${fixture.makeHome()}/${"deep".repeat(25)}`;
    const server = fixture.launch({ home: deep, runtimeRoot: fixture.runtimeRoot, isDurable: false });
    const answer = await server.answer;
    if (!answer.ok) throw new Error(answer.message);
    const lent = chooseServerUser("/nonexistent");
    expect(connectAs(lent.uid, answer.socketDir)).toContain("Peer authentication failed");
    expect(connectAs(12_345, answer.socketDir)).toContain("EACCES");
    expect(await ask(answer.socketDir, "select current_user as me")).toEqual([{ me: "nexus" }]);
    await server.stop();
  });

/** Loads the driver as root and connects as another user, so that it needs no way into the checkout. */
function connectAs(uid: number, socketDir: string): string {
  const driver = createRequire(import.meta.url).resolve("postgres");
  const program = `
    const postgres = require(${JSON.stringify(driver)});
    process.setgroups([]); process.setgid(${uid}); process.setuid(${uid});
    postgres({ host: ${JSON.stringify(socketDir)}, user: "nexus", database: "nexus", max: 1 })\`select 1\`
      .then(() => console.log("connected"), (error) => console.log(error.message))
      .finally(() => process.exit());`;
  const result = spawnSync(process.execPath, ["-e", program], {
    encoding: "utf8",
    cwd: "/",
    timeout: 60_000,
  });
  return result.stdout + result.stderr;
}

import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createStartChecks } from "./exec/check-start.ts";
import { baseEnvironment } from "./exec/job-environment.ts";
import { jobUser, makeJobHome } from "./job-user.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "nexus-job-user-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const login = (homedir: string) => ({ username: "ada", homedir, shell: null });

it("[E27] a user's own home stays where jobs begin", async () => {
  await mkdir(join(folder, "ada"));
  expect(await jobUser(login(join(folder, "ada")), folder)).toMatchObject({
    homedir: join(folder, "ada"),
    homeProblem: null,
  });
});

it("[E27] without a home, jobs begin in the agent's, and start", async () => {
  await writeFile(join(folder, "file"), "");
  await mkdir(join(folder, "closed"));
  await chmod(join(folder, "closed"), 0o600);
  const closed = process.getuid?.() === 0 ? [] : [[join(folder, "closed"), "may not be entered"]];
  const cases = [
    ["/nonexistent", "does not exist"],
    [join(folder, "file"), "not a folder"],
    ["", "no account"],
    ...closed,
  ];
  for (const [homedir = "", why] of cases) {
    const user = await jobUser(login(homedir), folder);
    expect(user).toMatchObject({
      homedir: join(folder, "job-home"),
      homeProblem: expect.stringContaining(why ?? ""),
    });
    await makeJobHome(user);
    const job = {
      attempt: "a_1",
      fence: 1,
      job: "j_1",
      command: ["sh"],
      env: {},
      cwd: null,
      gpus: [],
      timeoutMs: null,
      graceMs: 0,
    };
    const { cwd } = await createStartChecks(() => 0).check(job, baseEnvironment({}, user));
    expect([cwd, (await stat(cwd)).mode & 0o777]).toEqual([user.homedir, 0o700]);
  }
});

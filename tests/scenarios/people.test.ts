import { readdir, readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Child } from "../harness/child.ts";
import { AGENT, Nexus } from "../harness/nexus.ts";
import { until } from "../harness/until.ts";

describe("people and their secrets, on a whole Nexus", () => {
  let nexus: Nexus;
  beforeAll(async () => {
    nexus = await Nexus.start({ NEXUS_LOG_LEVEL: "debug" });
    await nexus.addAgent({ name: "local" });
  });
  afterAll(() => nexus?.dispose());

  const post = (path: string, body: object, headers: Record<string, string> = {}) =>
    fetch(nexus.url + path, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", origin: nexus.url, ...headers },
    });
  const secretOf = (link: string) => link.split("#link=")[1] ?? "";
  const cookieOf = (response: Response) =>
    response.headers
      .getSetCookie()
      .map((line) => line.split(";")[0])
      .join("; ");

  it("[A26] whoever started the server signs in once with the link it left", async () => {
    const link = secretOf(nexus.signInLink);
    const signedIn = await post("/api/auth/link", { link });
    expect(signedIn.status).toBe(200);
    const me = await fetch(`${nexus.url}/api/trpc/me.get`, { headers: { cookie: cookieOf(signedIn) } });
    expect(await me.json()).toMatchObject({ result: { data: { role: "owner" } } });
    expect((await post("/api/auth/link", { link })).status).toBe(401);
  });

  it("[N9] `targets add` prints the command and waits until the machine is there", async () => {
    const adding = nexus.cli(["targets", "add", "second", "--json"]);
    const { secret } = await until(
      "the token is printed",
      async () => adding.stdout && JSON.parse(adding.stdout),
    );
    const home = `${nexus.home}/second`;
    const env = { NEXUS_AGENT_HOME: home, NEXUS_GPUS: "none", PATH: process.env.PATH ?? "", HOME: home };
    const enroll = new Child([process.execPath, AGENT, "enroll", "-", "--yes", "--allow-root"], {
      env,
      input: secret,
    });
    expect(await enroll.exit()).toBe(0);
    expect(adding.isRunning).toBe(true);
    const agent = new Child([process.execPath, AGENT, "run", "--allow-root"], { env });
    try {
      expect(await adding.exit()).toBe(0);
      const [, appeared] = adding.stdout.trim().split("\n");
      expect(JSON.parse(appeared ?? "")).toMatchObject({
        type: "target",
        target: { name: "second", state: "connected" },
      });
    } finally {
      await agent.kill("SIGTERM");
    }
  });

  it("[N11] add, queue, logs, kill and history speak of the same job", async () => {
    const id = async () => (await nexus.call("jobs.list", { limit: 1 })).jobs[0]?.id ?? "";
    const said = async (args: string[]) => {
      const child = nexus.cli(args);
      await child.exit();
      return child.stdout;
    };
    await said(["add", "--name", "counted", "-t", "local", "--", "sh", "-c", "seq 1 9; sleep 1000"]);
    const job = await id();
    await until("the log is there", async () => (await said(["logs", job])).endsWith("9\n"));
    expect(await said(["logs", "-n", "2"])).toBe("8\n9\n");
    expect(await said(["logs", job, "--since", "1h"])).toBe("1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    expect(await said(["queue"])).toContain("counted");
    expect(await said(["history", "^counted$"])).toContain(job);
    const follow = nexus.cli(["logs", "-f", job.slice(0, 8)]);
    await follow.says("9");
    expect(await said(["kill", "--grace", "1s"])).toContain(job);
    expect(await follow.exit()).toBe(0);
    expect((await nexus.ended(job)).state).toBe("cancelled");
  });

  it("[A17] no output of a process and no command line names a secret, however much is logged", async () => {
    const link = (await nexus.call("members.add", { email: "mo@example.com", name: "Mo", role: "member" }))
      .link;
    const opened = await post("/api/auth/link", { link: secretOf(link) });
    const cookie = cookieOf(opened);
    const password = "correct horse battery";
    await post("/api/auth/password", { newPassword: password }, { cookie });
    await post("/api/auth/sign-in", { email: "mo@example.com", password });
    await post("/api/auth/sign-in", { email: "mo@example.com", password: "wrong password!" });
    const { secret } = await nexus.call("apiKeys.create", { name: "script" });
    await nexus
      .cli(["login", nexus.url], { env: { NEXUS_HOME: `${nexus.home}/elsewhere` }, input: secret })
      .exit();
    const token = await nexus.call("enrollTokens.create", {});
    const watching = nexus.cli(["run", "-t", "local", "-e", "TOKEN=job-secret-value", "--", "sleep", "1000"]);
    const job = await until("the job runs", async () => {
      const [latest] = (await nexus.call("jobs.list", { limit: 1 })).jobs;
      return latest?.state === "running" && latest;
    });

    const secrets = {
      link: secretOf(nexus.signInLink),
      invitation: secretOf(link),
      cookie: cookie.split("=")[1] ?? "",
      password,
      "wrong password": "wrong password!",
      key: nexus.apiKey,
      "second key": secret,
      "enrolment token": token.secret,
    };
    const lines = (await commandLines()).filter((line) => !line.includes("TOKEN="));
    const said = [nexus.server.stdout, nexus.server.stderr, ...lines].join("\n");
    for (const [what, value] of Object.entries(secrets)) {
      expect(value.length, what).toBeGreaterThan(10);
      expect(said.includes(value) || said.includes(encodeURIComponent(value)), what).toBe(false);
    }
    expect(nexus.server.stdout + nexus.server.stderr).not.toContain("job-secret-value");
    await nexus.call("jobs.cancel", { jobs: [job.id] });
    await watching.exit();
  });
});

/** Command lines of all processes, as anyone on the machine can read them. */
async function commandLines(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const read = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => ""));
  return (await Promise.all(read)).map((line) => line.replaceAll("\0", " "));
}

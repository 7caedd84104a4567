import { readFileSync, statSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { encodeLogTroubles } from "@nexus/shared/api/log-troubles";
import type { Job } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startCli, tempHome } from "./testing/run-cli.ts";
import { type StandIn, standInJob, standInQueue, startStandIn } from "./testing/stand-in-server.ts";

let server: StandIn;
let home: string;
let removeHome: () => void;

beforeEach(async () => {
  server = await startStandIn();
  ({ home, remove: removeHome } = tempHome());
  signIn(server.url);
});
afterEach(async () => {
  await server.close();
  removeHome();
});

const signIn = (url: string, more: object = {}) =>
  writeFileSync(
    join(home, "cli.json"),
    JSON.stringify({ servers: { default: { url, apiKey: "nxk_mine", ...more } } }),
  );
const config = () => JSON.parse(readFileSync(join(home, "cli.json"), "utf8"));

async function nexus(args: string[], options: { env?: Record<string, string>; input?: string } = {}) {
  const cli = startCli(args, { home, ...options });
  const code = await cli.exit;
  return { code, stdout: cli.stdout(), stderr: cli.stderr() };
}

/** A job that was accepted and, once its log is over, ended so. */
function jobEndsAs(end: Partial<Job>): void {
  server.answers["jobs.submit"] = () => ({ jobs: [standInJob()] });
  server.answers["jobs.get"] = () => standInJob({ endedAtMs: 1, ...end });
}

const openLog = (res: ServerResponse, offset: number) => {
  res.writeHead(200, { "x-log-offset": String(offset), "x-log-size": "0", "x-log-end": "0" });
  res.flushHeaders();
};

describe("how a run ends", () => {
  it.each([
    ["succeeded", { state: "succeeded", exitCode: 0 }, 0],
    ["its own exit code", { state: "failed", exitCode: 7 }, 7],
    ["a signal", { state: "failed", signal: "SIGKILL" }, 137],
    ["an unknown signal", { state: "failed", signal: "SIGWHAT" }, 125],
    ["out of time", { state: "timed_out", signal: "SIGTERM" }, 124],
    ["cancelled", { state: "cancelled", signal: "SIGTERM" }, 130],
    ["lost", { state: "lost" }, 125],
    ["not started", { state: "failed", exitCode: null, message: "no such folder" }, 125],
  ] as const)("[N1] %s", async (_name, end, code) => {
    jobEndsAs(end);
    expect((await nexus(["run", "--", "true"])).code).toBe(code);
  });

  it("[N1] only the job's output goes to standard output", async () => {
    jobEndsAs({ state: "failed", exitCode: 3, message: "the disk is full" });
    server.log = (_req, res) => {
      openLog(res, 0);
      res.end("out\x1b[31mred\x00");
    };
    const { stdout, stderr } = await nexus(["run", "--", "true"]);
    expect(stdout).toBe("out\x1b[31mred\x00");
    expect(stderr).toContain("the disk is full");
  });

  it("[N1] a job that cannot start now is refused with what to do instead", async () => {
    server.answers["jobs.submit"] = () => {
      throw new NexusError("target_busy", { detail: "local has 0 of 1 GPUs free." });
    };
    const { code, stderr, stdout } = await nexus(["run", "--", "true"]);
    expect([code, stdout]).toEqual([75, ""]);
    expect(stderr).toContain("local has 0 of 1 GPUs free.");
    expect(stderr).toContain("nexus add");
  });

  it("[N1] -d prints the id and leaves", async () => {
    jobEndsAs({});
    expect(await nexus(["run", "-d", "--", "true"])).toEqual({
      code: 0,
      stdout: "j_0000000001\n",
      stderr: "",
    });
  });
});

describe("a log over a bad line", () => {
  it("[N2] every byte once, in order, however often the connection breaks", async () => {
    const whole = Buffer.from(Array.from({ length: 5000 }, (_, i) => `line ${i}\n`).join(""), "latin1");
    jobEndsAs({ state: "succeeded", exitCode: 0 });
    let opened = 0;
    server.log = (_req, res, query) => {
      const offset = Number(query.get("offset"));
      opened += 1;
      if (opened === 3) {
        res.destroy();
        return;
      }
      openLog(res, offset);
      const part = whole.subarray(offset, offset + 17_001);
      if (offset + part.length === whole.length) res.end(part);
      else res.write(part, () => res.destroy());
    };
    const { code, stdout, stderr } = await nexus(["run", "--", "true"]);
    expect(code).toBe(0);
    expect(opened).toBeGreaterThan(2);
    expect(stdout).toBe(whole.toString("latin1"));
    expect(stderr).toContain("trying again");
    expect(stderr).toContain("connected again");
  });

  it("[N13] why a log does not grow is said once, and when that is over; its stream is taken up without a word", async () => {
    jobEndsAs({
      state: "succeeded",
      exitCode: 0,
      logTroubles: [{ code: "node_disk_full", message: "the disk was full: from byte 8 on", offset: 8 }],
    });
    const full = [
      { code: "store_full" as const, message: "the disk of the \u001b[31mserver is full", offset: null },
    ];
    let opened = 0;
    server.log = (_req, res, query) => {
      opened += 1;
      const offset = Number(query.get("offset"));
      if (opened === 1) res.setHeader("x-log-troubles", encodeLogTroubles(full));
      openLog(res, offset);
      if (opened === 1) res.write("one\n", () => res.destroy());
      else res.end("two\n");
    };
    const shown = await nexus(["run", "--", "true"]);
    expect(shown.stdout).toBe("one\ntwo\n");
    expect(shown.stderr.split("\n").slice(0, 3)).toEqual([
      expect.stringMatching(/^nexus: the disk of the .*31mserver is full\.$/),
      "nexus: that is over; the log goes on",
      "nexus: the disk was full: from byte 8 on.",
    ]);
    expect(shown.stderr).not.toContain("\u001b");
    opened = 0;
    const json = await nexus(["run", "--json", "--", "true"]);
    const lines = json.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ type }) => type)).toEqual([
      "job",
      "troubles",
      "log",
      "troubles",
      "log",
      "troubles",
      "end",
    ]);
    expect(lines[1].troubles).toEqual(full);
    opened = 0;
    server.answers["jobs.get"] = () => standInJob({ logBytes: 4 });
    server.log = (_req, res) => {
      res.setHeader("x-log-troubles", encodeLogTroubles(full));
      res.setHeader("x-log-size", "4");
      res.setHeader("x-log-offset", "0");
      res.end("one\n");
    };
    const part = await nexus(["logs", "j_0000000001"]);
    expect([part.code, part.stdout]).toEqual([0, "one\n"]);
    expect(part.stderr).toMatch(/^nexus: the disk of the .*server is full\.\n$/);
  });

  it("[N2] a submission whose answer got lost is sent again under the same key", async () => {
    const keys: unknown[] = [];
    server.instead = (req) => {
      server.instead = null;
      req.socket.destroy();
    };
    server.answers["jobs.submit"] = (input) => {
      keys.push(input.submitKey);
      return { jobs: [standInJob({ id: "j_again" })] };
    };
    expect((await nexus(["add", "--", "true"])).stdout).toBe("j_again\n");
    expect(keys).toHaveLength(1);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("[N2] a refusal in mid-log ends it with the refusal", async () => {
    jobEndsAs({});
    server.log = (_req, res) => {
      openLog(res, 0);
      res.write("begin\n", () => res.destroy());
      server.log = () => {
        throw new NexusError("unauthenticated", { detail: "This API key was revoked." });
      };
    };
    const { code, stdout, stderr } = await nexus(["run", "--", "true"]);
    expect([code, stdout]).toEqual([77, "begin\n"]);
    expect(stderr).toContain("revoked");
  });

  it("[N2] a reader that has had enough ends it quietly", async () => {
    server.answers["jobs.get"] = () => standInJob();
    server.log = (_req, res) => {
      openLog(res, 0);
      const flood = setInterval(() => res.write(Buffer.alloc(65_536, "x\n")), 1);
      res.on("close", () => clearInterval(flood));
    };
    const cli = startCli(["logs", "j_1", "-f"], { home });
    await cli.says("x");
    cli.process.stdout?.destroy();
    expect(await cli.exit).toBe(0);
    expect(cli.stderr()).toBe("");
  });
});

describe("Ctrl-C", () => {
  /** A job on a terminal that goes on until it is cancelled. */
  async function runOnTerminal() {
    let end: (() => void) | undefined;
    let state: Job["state"] = "running";
    server.answers["jobs.submit"] = () => ({ jobs: [standInJob()] });
    server.answers["jobs.get"] = () => standInJob({ state });
    server.answers["jobs.cancel"] = () => {
      state = "cancelled";
      end?.();
      return { results: [{ job: "j_0000000001", ok: true, message: "ending" }] };
    };
    server.log = (_req, res) => {
      openLog(res, 0);
      res.write("working\n");
      end = () => res.end();
    };
    const cli = startCli(["run", "--", "true"], { home, onTerminal: true });
    await cli.says("working");
    cli.process.stdin?.write("\x03");
    await cli.says("[d]etach, [k]ill");
    return {
      cli,
      finish: () => {
        state = "succeeded";
        end?.();
      },
    };
  }
  const cancelled = () => server.calls.some(({ name }) => name === "jobs.cancel");

  it("[N3] asks, and d leaves the job running", async () => {
    const { cli } = await runOnTerminal();
    cli.process.stdin?.write("d");
    expect(await cli.exit).toBe(130);
    expect(cli.stdout()).toContain("runs on");
    expect(cancelled()).toBe(false);
  });

  it("[N3] k ends the job and waits for its end", async () => {
    const { cli } = await runOnTerminal();
    cli.process.stdin?.write("k");
    expect(await cli.exit).toBe(130);
    expect(cli.stdout()).toContain("cancelled");
    expect(cancelled()).toBe(true);
  });

  it("[N3] any other key goes on, and Ctrl-C can be pressed again", async () => {
    const { cli, finish } = await runOnTerminal();
    cli.process.stdin?.write("x");
    finish();
    expect([await cli.exit, cli.stdout()]).toEqual([0, expect.stringContaining("succeeded")]);
    expect(cancelled()).toBe(false);
  });

  it("[N3] without a terminal to ask, an interrupt leaves the job running and says so", async () => {
    jobEndsAs({ state: "running" });
    server.log = (_req, res) => {
      openLog(res, 0);
      res.write("working\n");
    };
    const cli = startCli(["run", "--", "true"], { home });
    await cli.says("working");
    cli.process.kill("SIGINT");
    expect(await cli.exit).toBe(130);
    expect(cli.stderr()).toContain("nexus kill j_0000000001");
    expect(cancelled()).toBe(false);
  });
});

describe("keys", () => {
  const me = {
    user: { id: "u_1", name: "ada", email: "ada@example.com" },
    team: { id: "tm_1", name: "default" },
    role: "owner" as const,
    teams: [],
    server: { version: "0", url: "", fingerprint: "" },
  };

  it("[N5] login reads the key from standard input, tries it, and keeps it for its owner alone", async () => {
    server.answers["me.get"] = () => me;
    writeFileSync(
      join(home, "cli.json"),
      JSON.stringify({ servers: { other: { url: "https://o.example", apiKey: "x" } } }),
    );
    const { code, stdout } = await nexus(["login", server.url], { input: "nxk_typed\n" });
    expect([code, stdout.includes("ada, owner of default")]).toEqual([0, true]);
    expect(server.requests.at(-1)?.authorization).toBe("Bearer nxk_typed");
    expect(config().servers).toEqual({
      other: { url: "https://o.example", apiKey: "x" },
      default: { url: server.url, apiKey: "nxk_typed" },
    });
    expect(statSync(join(home, "cli.json")).mode & 0o777).toBe(0o600);
  });

  it("[N5] a key that does not work is not kept, and a key on the command line is not taken", async () => {
    const before = config();
    server.answers["me.get"] = () => {
      throw new NexusError("unauthenticated");
    };
    expect((await nexus(["login", server.url], { input: "nxk_wrong\n" })).code).toBe(77);
    expect((await nexus(["login", server.url, "nxk_argv"])).code).toBe(64);
    expect(config()).toEqual(before);
  });

  it("[N4] the key of one server goes to no other: not by a redirect, not by NEXUS_URL", async () => {
    const thief = await startStandIn();
    try {
      server.instead = (_req, res) =>
        res.writeHead(307, { location: `${thief.url}/api/trpc/jobs.get` }).end();
      const redirected = await nexus(["get", "j_1"]);
      expect(redirected.code).toBe(69);
      expect(redirected.stderr).toContain(thief.url);
      const pointed = await nexus(["get", "j_1"], { env: { NEXUS_URL: thief.url } });
      expect(pointed.code).toBe(77);
      expect(pointed.stderr).toContain(`nexus login ${thief.url}`);
      expect(thief.requests).toEqual([]);
    } finally {
      await thief.close();
    }
  });

  it("[N4] NEXUS_URL and NEXUS_API_KEY win over the file", async () => {
    server.answers["jobs.get"] = () => standInJob();
    server.answers["jobs.events"] = () => [];
    signIn("http://127.0.0.1:1");
    const env = { NEXUS_URL: `${server.url}/`, NEXUS_API_KEY: "nxk_env" };
    expect((await nexus(["get", "j_1"], { env })).code).toBe(0);
    expect(server.requests[0]).toEqual({ url: "/api/trpc/jobs.get", authorization: "Bearer nxk_env" });
  });

  it("[N4] no input stands in a URL", async () => {
    server.answers["jobs.submit"] = () => ({ jobs: [standInJob()] });
    await nexus(["add", "-e", "TOKEN=s3cret", "--", "true"]);
    expect(server.calls[0]?.input).toMatchObject({ jobs: [{ env: { TOKEN: "s3cret" } }] });
    expect(JSON.stringify(server.requests)).not.toContain("s3cret");
  });
});

describe("what reaches the terminal", () => {
  const EVIL = "x\x1b]0;owned\x07\x9b2J\u202eevil\r\n";
  const evilJob = () =>
    standInJob({
      name: EVIL,
      state: "failed",
      message: EVIL,
      command: [EVIL],
      user: { id: "u", name: EVIL },
      target: { id: "t", name: EVIL },
      reason: { code: "queue_paused", queue: EVIL },
      env: { A: EVIL },
      labels: { a: EVIL },
      queue: EVIL,
    });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not come through.
  const HARMFUL = /[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae/;

  it.each([
    ["get", "j_1"],
    ["history"],
    ["queue"],
    ["status"],
    ["targets"],
    ["kill", "j_1"],
    ["add", "--", "true"],
    ["get", "j_1", "--json"],
    ["history", "--json"],
  ])("[N6] `%s %s` shows control characters of names instead of obeying them", async (...args) => {
    server.answers = {
      "jobs.get": evilJob,
      "jobs.list": () => ({ jobs: [evilJob()], next: null, total: 1 }),
      "jobs.events": () => [
        { atMs: 0, type: EVIL, state: "failed", attempt: null, actor: EVIL, message: EVIL },
      ],
      "jobs.cancel": () => ({ results: [{ job: EVIL, ok: true, message: EVIL }] }),
      "jobs.submit": () => ({ jobs: [{ ...evilJob(), id: EVIL }] }),
      "me.get": () => ({
        user: { id: "u", name: EVIL, email: EVIL },
        team: { id: "t", name: EVIL },
        role: "owner",
        teams: [],
        server: { version: EVIL, url: EVIL, fingerprint: EVIL },
      }),
      "fleet.list": () => ({
        nowMs: 0,
        problems: [{ code: "x", message: EVIL }],
        targets: [
          {
            id: "t",
            name: EVIL,
            kind: "agent",
            state: "connected",
            stateSinceMs: 0,
            cordoned: false,
            draining: false,
            labels: { a: EVIL },
            facts: null,
            host: null,
            gpus: [
              {
                uuid: EVIL,
                index: 0,
                name: EVIL,
                memoryTotalMib: 1024,
                simulated: false,
                migParentUuid: null,
                schedulable: true,
                blocked: false,
                sample: null,
                sampledAtMs: null,
                holders: [{ job: EVIL, user: EVIL, gpuMemoryMib: null }],
              },
            ],
            jobsActive: 0,
            notice: { level: "error", code: "x", message: EVIL, atMs: 0 },
            lastSeenAtMs: null,
            createdAtMs: 0,
          },
        ],
      }),
    };
    const { code, stdout, stderr } = await nexus(args);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("owned");
    expect(stdout).not.toMatch(HARMFUL);
  });

  it("[N6] neither does the sentence of a refusal", async () => {
    server.answers["jobs.get"] = () => {
      throw new NexusError("not_found", { detail: EVIL });
    };
    const { stderr } = await nexus(["get", "j_1"]);
    expect(stderr).toContain("owned");
    expect(Buffer.from(stderr).toString("latin1")).not.toMatch(HARMFUL);
  });
});

describe("a log that wants the terminal", () => {
  const EVIL_LOG = "a\x1b]52;c;ZXZpbA==\x07b\x1b[2J\x1b[31mred\n";
  beforeEach(() => {
    jobEndsAs({ state: "succeeded", exitCode: 0 });
    server.log = (_req, res) => {
      res.writeHead(200, { "x-log-offset": "0", "x-log-size": String(EVIL_LOG.length), "x-log-end": "1" });
      res.end(EVIL_LOG);
    };
  });

  it.each([
    ["run", "--", "true"],
    ["logs", "j_1"],
    ["logs", "-f", "j_1"],
  ])("[N6] `%s %s` shows text and colours alone on a terminal", async (...args) => {
    const cli = startCli(args, { home, onTerminal: true });
    await cli.exit;
    expect(cli.stdout()).toContain("ab\x1b[31mred\r\n\x1b[0m");
    expect(cli.stdout()).not.toMatch(/52;c|\[2J/);
  });

  it("[N6] with --raw a terminal gets all of it, and so does a pipe", async () => {
    for (const args of [
      ["run", "--raw", "--", "true"],
      ["logs", "--raw", "j_1"],
    ]) {
      const cli = startCli(args, { home, onTerminal: true });
      await cli.exit;
      expect(cli.stdout()).toContain(EVIL_LOG.replace("\n", "\r\n"));
    }
    expect((await nexus(["logs", "j_1"])).stdout).toBe(EVIL_LOG);
    expect((await nexus(["run", "--", "true"])).stdout).toBe(EVIL_LOG);
  });
});

describe("for scripts", () => {
  it("[N8] --json is one document, and JSON lines while following", async () => {
    server.answers["jobs.list"] = () => ({ jobs: [standInJob()], next: null, total: 1 });
    expect(JSON.parse((await nexus(["history", "--json"])).stdout).jobs).toHaveLength(1);
    jobEndsAs({ state: "failed", exitCode: 3 });
    server.log = (_req, res) => {
      openLog(res, 0);
      res.end(Buffer.from("é\n"));
    };
    const run = await nexus(["run", "--json", "--", "true"]);
    const lines = run.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(Buffer.from(line, "latin1").toString()));
    expect(lines.map(({ type }) => type)).toEqual(["job", "log", "end"]);
    expect(lines[1].text).toBe("é\n");
    expect([lines[2].job.exitCode, run.code]).toEqual([3, 3]);
  });

  it("[N8] with --json a refusal is JSON too", async () => {
    server.answers["jobs.get"] = () => {
      throw new NexusError("not_found", { detail: "There is no job j_1." });
    };
    const { code, stderr } = await nexus(["get", "j_1", "--json"]);
    expect([code, JSON.parse(stderr)]).toEqual([
      66,
      { error: { code: "not_found", message: "There is no job j_1." } },
    ]);
  });

  it.each([
    [["run", "--json"], "missing required argument"],
    [["frobnicate", "--json"], "unknown command 'frobnicate'"],
    [["get", "--json", "--bogus"], "unknown option '--bogus'"],
    [["targets", "rename", "--json", "a"], "missing required argument 'name'"],
    [["add", "--json", "--timeout", "soon", "--", "true"], "90s, 10m"],
  ])("[N8] %j: wrong usage is JSON too, once", async (args, sentence) => {
    const { code, stderr, stdout } = await nexus(args);
    expect([code, stdout]).toEqual([64, ""]);
    const { error } = JSON.parse(stderr);
    expect(error.code).toBe("bad_request");
    expect(error.message).toContain(sentence);
  });

  it("[N16] `add` warns of a job that no target can ever run, which it queued all the same", async () => {
    const sentence = "needs 99 GPUs; the largest match, gpu1, has 8";
    server.answers["jobs.submit"] = ({ jobs }) => ({
      jobs: jobs.map((_, at) => standInJob({ id: `j_${at}`, state: "queued", target: null })),
    });
    server.answers["jobs.preview"] = () => ({
      ...{ startsNow: false, target: null, gpus: 99, sentence, canEverRun: false },
    });
    const warning = `no target can run it as the fleet is now: ${sentence}. To wait no longer: nexus kill j_0`;
    const args = ["add", "-g", "99", "--", "true"];
    expect(await nexus(args)).toMatchObject({ code: 0, stdout: "j_0\n", stderr: `nexus: ${warning}\n` });
    const asJson = await nexus(["add", "-g", "99", "--json", "--", "true"]);
    expect(JSON.parse(asJson.stdout).jobs).toHaveLength(1);
    expect(JSON.parse(asJson.stderr)).toEqual({ warning });
    const twice = await nexus(["add", "-g", "99", "-n", "2", "--", "true"]);
    expect(twice.stderr).toContain("can run them as the fleet is now");
    expect(server.calls.at(-1)).toMatchObject({ name: "jobs.preview", input: { gpus: 99 } });

    server.answers["jobs.preview"] = () => ({
      ...{ startsNow: false, target: null, gpus: 8, sentence: "busy", canEverRun: true },
    });
    expect(await nexus(args)).toMatchObject({ code: 0, stderr: "" });
  });

  it("[N8] the --json of a job's own command is not ours", async () => {
    server.answers["jobs.submit"] = () => {
      throw new NexusError("not_found", { detail: "There is no queue night." });
    };
    expect((await nexus(["add", "tool", "--json"])).stderr).toBe("nexus: There is no queue night.\n");
  });

  it("[N9] a job's field that the server refuses goes by the name of its option", async () => {
    server.answers["jobs.submit"] = () => {
      throw new NexusError("bad_request", { detail: "jobs[0].queue: 1 to 63 of a-z; jobs[0].labels.a: no" });
    };
    const { stderr } = await nexus(["add", "-q", "Bad!", "--", "true"]);
    expect(stderr).toBe("nexus: --queue: 1 to 63 of a-z; --label.a: no\n");
  });

  it("[N9] a filter that names nothing there is refused, and not answered with an empty list", async () => {
    server.answers["jobs.list"] = () => ({ jobs: [], next: null, total: 0 });
    server.answers["queues.list"] = () => [standInQueue()];
    server.answers["targets.get"] = () => {
      throw new NexusError("not_found", { detail: "There is no target gpu9." });
    };
    for (const args of [
      ["queue", "-t", "gpu9"],
      ["history", "-t", "gpu9"],
    ]) {
      expect(await nexus(args)).toMatchObject({ code: 66, stderr: "nexus: There is no target gpu9.\n" });
    }
    const { code, stderr } = await nexus(["queue", "-q", "night"]);
    expect([code, stderr]).toEqual([66, "nexus: There is no queue night. There is: default.\n"]);
  });

  it.each([
    [{ NEXUS_URL: "nonsense" }, 64, 'NEXUS_URL: "nonsense" is no address'],
    [{ NEXUS_URL: "::", NEXUS_API_KEY: "x" }, 64, 'NEXUS_URL: "::" is no address'],
    [{ NEXUS_URL: "ftp://x.example", NEXUS_API_KEY: "x" }, 64, "https://nexus.example.com"],
    [{ NEXUS_API_KEY: "two\nlines-s3cret" }, 77, "NEXUS_API_KEY is no API key"],
    [{ NEXUS_API_KEY: "ключ-s3cret" }, 77, "NEXUS_API_KEY is no API key"],
  ])(
    "[N9] with %j it says which setting is wrong, and does not repeat a key",
    async (env, code, sentence) => {
      const result = await nexus(["get", "j_1"], { env: env as unknown as Record<string, string> });
      expect(result.code).toBe(code);
      expect(result.stderr).toContain(sentence);
      expect(result.stderr).not.toContain("s3cret");
      expect(server.requests).toEqual([]);
    },
  );

  it("[N10] a file of variables with a line that is none is refused with file and line", async () => {
    const file = join(home, "job.env");
    writeFileSync(file, "A=1\nnonsense s3cret\n");
    const { code, stderr } = await nexus(["add", "--env-file", file, "--", "true"]);
    expect([code, stderr.includes(`${file}, line 2:`), stderr.includes("s3cret")]).toEqual([64, true, false]);
    expect(server.calls).toEqual([]);
  });

  it.each([
    [["run"], 64, "missing required argument"],
    [["frobnicate"], 64, "unknown command"],
    [["add", "--timeout", "soon", "--", "true"], 64, "90s, 10m"],
    [["add", "--gpu-memory", "lots", "--", "true"], 64, "20GiB"],
    [["add", "-e", "NOT_SET_HERE", "--", "true"], 64, "NOT_SET_HERE"],
    [["add", "-l", "nope", "--", "true"], 64, "key=value"],
    [["history", "("], 64, "regular expression"],
    [["history", "-n", "0"], 64, "--limit: from 1 to"],
    [["add", "--timeout", "0", "--", "true"], 64, "--timeout: from 1s to 366d"],
    [["add", "-p", "5000", "--", "true"], 64, "--priority: from -1000 to 1000"],
    [["add", "-g", "5000", "--", "true"], 64, "--gpus: from 0 to 1024"],
    [["add", "-C", "here", "--", "true"], 64, "begin it with / or ~/"],
    [["add", "-e", "1A=x", "--", "true"], 64, "cannot name a variable"],
    [["kill", "--grace", "2h"], 64, "--grace: from 0s to 1h"],
    [["targets", "add", "--ttl", "1s"], 64, "--ttl: from 1m to 30d"],
    [["logs", "-n", "1", "--since", "1m"], 64, "not both"],
    [["logs", "--try", "1", "-f"], 64, "leave out --follow"],
    [["add", "--lost-after", "10m", "--", "true"], 64, "give --retry-lost <n> too"],
    [["add", "--retry-lost", "0", "--", "true"], 64, "--retry-lost: from 1 to 100"],
    [["add", "--retry-lost", "1", "--lost-after", "1s", "--", "true"], 64, "--lost-after: from 10s to 30d"],
    [["requeue"], 64, "missing required argument"],
  ])("[N9] %j ends with %i and says how it is done", async (args, code, sentence) => {
    const result = await nexus(args as string[]);
    expect(result.code).toBe(code);
    expect(result.stderr).toContain(sentence);
    expect(server.calls).toEqual([]);
  });

  it("[N9] a server that is away, and one that is not Nexus, are told apart", async () => {
    const gone = await startStandIn();
    await gone.close();
    signIn(gone.url);
    const away = await nexus(["get", "j_1"]);
    expect([away.code, away.stderr.includes("nothing listens there")]).toEqual([69, true]);
    signIn(server.url);
    server.instead = (_req, res) => res.end("<html>a router's page</html>");
    const other = await nexus(["get", "j_1"]);
    expect([other.code, other.stderr.includes("not of Nexus")]).toEqual([69, true]);
  });

  it("[N9] a home without a server says how to get one", async () => {
    const empty = tempHome();
    try {
      const cli = startCli(["status"], { home: empty.home });
      expect(await cli.exit).toBe(77);
      expect(cli.stderr()).toContain("npm run up");
      expect(cli.stderr()).toContain("nexus login");
    } finally {
      empty.remove();
    }
  });
});

describe("what a job is told", () => {
  it("[N10] options become the job's fields, and what follows the command is the command's", async () => {
    server.answers["jobs.submit"] = () => ({ jobs: [standInJob()] });
    writeFileSync(join(home, "job.env"), "A=1\n# no\nexport B='two words'\nC=file\n");
    const env = { D: "mine" };
    const options =
      `-g 2 --gpu-memory 20GiB --gpu-model h100 --env-file ${join(home, "job.env")} -e C=won -e D -C /data --timeout 1h30m ` +
      "-l rack=a -l disk=nvme -q night -p -5 --name nightly -t gpu1 -n 2 python train.py -g 7 --name x";
    await nexus(["add", ...options.split(" ")], { env });
    const job = {
      command: ["python", "train.py", "-g", "7", "--name", "x"],
      env: { A: "1", B: "two words", C: "won", D: "mine" },
      labels: { rack: "a", disk: "nvme" },
      gpus: 2,
      gpuMemoryMib: 20_480,
      gpuModel: "h100",
      cwd: "/data",
      timeoutMs: 5_400_000,
      queue: "night",
      priority: -5,
      name: "nightly",
      target: "gpu1",
    };
    expect(server.calls[0]?.input).toEqual({ jobs: [job, job], submitKey: expect.any(String) });
  });

  it("[N10] run asks for a start at once, and the home's own target is taken when none is named", async () => {
    jobEndsAs({ state: "succeeded" });
    signIn(server.url, { target: "gpu9" });
    await nexus(["run", "--", "sh", "-c", "exit 0"]);
    await nexus(["run", "-l", "rack=a", "--", "true"]);
    const submitted = server.calls.filter(({ name }) => name === "jobs.submit").map(({ input }) => input);
    expect(submitted[0]).toMatchObject({
      immediate: true,
      jobs: [{ command: ["sh", "-c", "exit 0"], target: "gpu9" }],
    });
    expect(submitted[1]).not.toHaveProperty("jobs.0.target");
  });

  it("[N11] without an id the latest own job is meant; kill means the latest that has not ended", async () => {
    server.answers["jobs.list"] = () => ({
      jobs: [standInJob({ id: "j_done", state: "succeeded" }), standInJob({ id: "j_runs" })],
      next: null,
      total: 2,
    });
    server.answers["jobs.events"] = () => [];
    server.answers["jobs.cancel"] = ({ jobs }) => ({
      results: jobs.map((job) => ({ job, ok: true, message: "ending" })),
    });
    expect(JSON.parse((await nexus(["get", "--json"])).stdout).job.id).toBe("j_done");
    expect(server.calls[0]?.input).toMatchObject({ user: "me", limit: 1 });
    expect((await nexus(["kill"])).stdout).toContain("j_runs");
  });

  it("[N11] kill says which of the named jobs it could not end, and ends with 1", async () => {
    server.answers["jobs.cancel"] = () => ({
      results: [
        { job: "j_1", ok: true, message: "ending" },
        { job: "j_2", ok: false, message: "it already succeeded" },
      ],
    });
    const { code, stdout } = await nexus(["kill", "j_1", "j_2"]);
    expect(code).toBe(1);
    expect(stdout).toContain("it already succeeded");
  });

  it("[N9] kill ends with the code of the one reason for which nothing could be ended, as other commands do", async () => {
    server.answers["jobs.cancel"] = ({ jobs }) => ({
      results: (jobs as string[]).map((job) => ({
        job,
        ...{ ok: false, code: job === "j_done" ? "invalid_state" : "not_found", message: "no" },
      })),
    });
    expect((await nexus(["kill", "j_zzzz", "j_yyyy"])).code).toBe(66);
    expect((await nexus(["kill", "j_zzzz", "j_done"])).code).toBe(1);
  });
});

describe("queues", () => {
  it("[N14] options become a queue's fields; what is not named is not sent", async () => {
    server.answers["queues.put"] = ({ name }) => standInQueue({ name });
    server.answers["queues.list"] = () => [
      standInQueue({ name: "night", selector: { labels: { role: "train" }, targets: ["gpu1"] } }),
    ];
    await nexus(["queues", "add", "night", "-p", "-5", "--gpus", "4", "--person-jobs", "2", "--on", "gpu1"]);
    await nexus(["queues", "edit", "night", "--gpus", "none", "-l", "rack=a"]);
    await nexus(["queues", "edit", "night", "--anywhere"]);
    const { stdout } = await nexus(["queues", "pause", "night"]);
    expect(stdout).toBe("night is paused; 0 jobs of it still run\n");
    expect(server.calls.filter(({ name }) => name === "queues.put").map(({ input }) => input)).toEqual([
      {
        ...{ name: "night", only: "new", priority: -5, gpusMax: 4, userRunningMax: 2 },
        selector: { labels: {}, targets: ["gpu1"] },
      },
      {
        ...{ name: "night", only: "existing", gpusMax: null },
        selector: { labels: { rack: "a" }, targets: ["gpu1"] },
      },
      { name: "night", only: "existing", selector: { labels: {}, targets: [] } },
      { name: "night", only: "existing", paused: true },
    ]);
  });

  it("[N14] wrong limits, nothing to change and nowhere to move to are refused before anything is sent", async () => {
    for (const [args, text] of [
      [["queues", "add", "night", "--gpus", "many"], "--gpus"],
      [["queues", "edit", "night"], "Say what to change of night"],
      [["move", "j_1"], "Say where to: --queue, --priority or --top."],
      [["move", "j_1", "-p", "3", "--top"], "name one of them"],
    ] as const) {
      const { code, stderr } = await nexus([...args]);
      expect([code, stderr]).toEqual([64, expect.stringContaining(text)]);
    }
    expect(server.calls).toEqual([]);
  });

  it("[N14] the list says what each lets through, a removal where its jobs go, a move what it did to each", async () => {
    server.answers["queues.list"] = () => [
      standInQueue({ queued: 3 }),
      standInQueue({
        ...{ name: "night", priority: 5, paused: true, running: 2, runningMax: 2, gpusHeld: 3, gpusMax: 4 },
        ...{ userGpusMax: 1, selector: { labels: { role: "gone" }, targets: [] }, targetsSelected: 0 },
      }),
    ];
    expect((await nexus(["queues"])).stdout).toBe(`\
QUEUE      PRIO  WAIT     RUN    GPUS  A PERSON  STATE   ONLY ON
night         5     0  2 of 2  3 of 4  1 GPU     paused  role=gone (no target)
default *     0     3       0       0            open
* where jobs go that name no queue
`);
    server.answers["queues.remove"] = () => ({ ok: true, moved: 2 });
    expect((await nexus(["queues", "rm", "night", "--move-to", "default"])).stdout).toBe(
      "night was removed; 2 jobs of it go on in default\n",
    );
    server.answers["jobs.move"] = () => ({
      results: [
        { job: "j_1", ok: true, message: "moved to queue night, priority 1" },
        { job: "j_2", ok: false, message: "it is over" },
      ],
    });
    expect(await nexus(["move", "j_1", "j_2", "--top"])).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/j_1 {2}moved to queue night, priority 1\n.* j_2 {2}it is over\n$/),
    });
    expect(server.calls.at(-1)?.input).toEqual({ jobs: ["j_1", "j_2"], top: true });
  });
});

describe("jobs that are started again", () => {
  it("[N18] options become the job's own rule", async () => {
    server.answers["jobs.submit"] = () => ({ jobs: [standInJob({ state: "queued" })] });
    await nexus(["add", "--retry-lost", "2", "--lost-after", "30m", "--", "./resume.sh"]);
    await nexus(["add", "--retry-lost", "1", "--", "./resume.sh"]);
    expect(
      server.calls
        .filter(({ name }) => name === "jobs.submit")
        .map(({ input }) => (input as { jobs: { retry: unknown }[] }).jobs[0]?.retry),
    ).toEqual([
      { on: ["lost"], attempts: 2, lostAfterMs: 1_800_000 },
      { on: ["lost"], attempts: 1 },
    ]);
  });

  it("[N18] requeue says of each what came of it, and a script finds the job that waits", async () => {
    const again = "it is over; added again as j_3";
    server.answers["jobs.requeue"] = () => ({
      results: [
        { job: "j_1", ok: true, queued: "j_1", message: "back in the line" },
        { job: "j_2", ok: true, queued: "j_3", message: again },
        {
          job: "j_4",
          ok: false,
          queued: null,
          code: "invalid_state",
          message: "it waits in the line already",
        },
      ],
    });
    const told = await nexus(["requeue", "j_1", "j_2", "j_4"]);
    expect(told).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(
        /j_1 {2}back in the line\n.* j_2 {2}it is over; added again as j_3\n.* j_4 {2}it waits/,
      ),
    });
    const [call] = server.calls;
    expect(call?.input).toMatchObject({ jobs: ["j_1", "j_2", "j_4"], submitKey: expect.any(String) });
    const { stdout } = await nexus(["requeue", "j_2", "--json"]);
    expect(JSON.parse(stdout).results[1]).toMatchObject({ queued: "j_3" });
  });

  it("[N18] get shows the rule, and what to do about a silent node", async () => {
    const retry = { on: ["lost" as const], attempts: 2, lostAfterMs: 600_000, used: 1 };
    const unreachableSinceMs = Date.now() - 60_000;
    server.answers["jobs.get"] = () =>
      standInJob({ id: "j_1", state: "unreachable", unreachableSinceMs, retry });
    server.answers["jobs.events"] = () => [];
    const { stdout } = await nexus(["get", "j_1"]);
    expect(stdout).toContain("again, up to 2 times, when its node is silent for 10m (1 so far)");
    expect(stdout).toContain("Not waiting for it: nexus requeue j_1");
  });
});
